//! Cases of value that goes round from bill to bill: P080.

use super::{Injector, light};
use crate::simulator::draft::Party;
use crate::simulator::life::Kind;
use crate::simulator::story::{MILLION, Story};

pub(super) const CASES: &[Injector] = &[light("P080", value_goes_round)];

const LEAST: i64 = 5 * MILLION;
/// Five quarters of it: the balance is 0.8.
const MOST: i64 = LEAST / 4 * 5;

/// Three, four or six companies pass 5,000,000 to 6,250,000 CNY on, the last to the first, within 30 days; the misses: a fen
/// too much on one way, a fen too little, or one company more.
fn value_goes_round(story: &mut Story) {
    let count = match (story.positive, story.variant) {
        (_, 0) => 3,
        (_, 1) => 4,
        (true, _) => 6,
        (false, _) => 7,
    };
    let mut sums = vec![LEAST; count];
    match (story.positive, story.variant) {
        (true, 0) => sums[1] = MOST,
        (false, 0) => sums[1] = MOST + 1,
        (false, 1) => sums[2] = LEAST - 1,
        _ => {}
    }
    let companies: Vec<Party> = (0..count).map(|_| story.company()).collect();
    let (first, last) = story.days_apart(story.begin, 29);
    for (place, sum) in sums.into_iter().enumerate() {
        let (from, to) = (companies[place], companies[(place + 1) % count]);
        let (bank, outsider) = (story.house_bank(place), story.company());
        story.on(if place + 1 == count { last } else { first });
        // By endorsement, every second time.
        if place % 2 == 0 {
            let mut bill = story.bill(Kind::Bank, sum, (from, bank, to), 150);
            story.received(&mut bill);
            story.paid(&mut bill, to);
        } else {
            let mut bill = story.bill(Kind::Bank, sum, (outsider, bank, from), 150);
            story.received(&mut bill);
            story.endorse(&mut bill, from, to);
            story.paid(&mut bill, to);
        }
    }
    let mut ids: Vec<_> = companies.iter().map(|company| company.id).collect();
    ids.sort_unstable();
    let key: Vec<String> = ids.iter().map(ToString::to_string).collect();
    story.label(
        key.join(","),
        last,
        "3 to 6 companies in a ring of 5 to 6.25 million CNY; miss: a fen more or less, or 7",
    );
}
