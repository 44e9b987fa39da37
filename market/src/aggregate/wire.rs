//! Questions about cells between processes: from the words of a request to a plan, and what one keeper gives for it.
//!
//! Each worker gives [`CellsPart`]s: what it keeps of the cells asked for, in as many parts as it likes. Parts add up:
//! [`Gathered`] puts those of all workers together, and what an epoch added to them. Dates, periods and the market clock are
//! the asker's business ([`Compiled`]): a part may hold more than the plan reads.

use std::collections::BTreeMap;

use super::{
    Aggregates, Answer, CellKey, Grain, Partial, Plan, Question, QuestionError, SetDelta,
    by_home::First,
    measure::{Form, SetKind},
    query::periods,
};
use crate::ids::{Day, PartyId};

/// First business date that there may be (fields.csv).
pub const FIRST_DAY: Day = Day(-7_397);
/// Last business date.
pub const LAST_DAY: Day = Day(47_481);
/// A stock is formed anew for every period of a question: at most this many.
const STOCK_PERIODS_MOST: i32 = 4_000;

/// A request in words.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// For instance `T05`.
    pub theme: &'a str,
    /// For instance `D.discounter.code`.
    pub dimension: &'a str,
    /// Items wanted; empty = all.
    pub items: &'a [String],
    /// `YYYY-MM-DD`; empty = from the beginning. Not used when only stock is read.
    pub from_date: &'a str,
    /// `YYYY-MM-DD`; empty = to the end. When only stock is read: date of the balance, empty = day of the market clock.
    pub to_date: &'a str,
    /// Length of a period; not used when only stock is read.
    pub grain: Option<Grain>,
    /// Figures wanted; empty = all.
    pub measures: &'a [String],
}

/// A request that cannot be answered.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RequestError {
    /// A name or an order of dates.
    #[error(transparent)]
    Question(#[from] QuestionError),
    /// Not a date.
    #[error("{field} `{text}` is no date: write YYYY-MM-DD between 1949-10-01 and 2099-12-31, or leave it empty")]
    Date {
        /// Which one.
        field: &'static str,
        /// As sent.
        text: String,
    },
    /// A balance is asked for, and the market has no time yet.
    #[error("no source has sent a watermark yet, so there is no date for the balance: name to_date")]
    NoClock,
    /// Flows need periods.
    #[error("the grain is missing: ask for days, months, quarters, years or the total")]
    NoGrain,
    /// Stock in too many periods.
    #[error("stock figures in more than {STOCK_PERIODS_MOST} periods: name from_date and to_date, or a longer grain")]
    TooManyPeriods,
}

/// A request, compiled at one market clock.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// What to read.
    pub plan: Plan,
    /// Only stock is read: one period, a date.
    pub only_stock: bool,
    grain: Grain,
}

/// A part of what one keeper has: a [`Partial`] on the wire, followed by assets where figures need them.
#[derive(Clone, Debug, Default)]
pub struct CellsPart {
    /// Cells and members.
    pub partial: Partial,
    /// Total assets at the end of a date, for [`Compiled::assets_wanted`]; absent = not known.
    pub assets: Vec<(PartyId, Day, i64)>,
}

impl CellsPart {
    /// The form on the wire.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = postcard::to_stdvec(&self.partial).expect("plain data has a form");
        if !self.assets.is_empty() {
            bytes.extend(postcard::to_stdvec(&self.assets).expect("plain data has a form"));
        }
        bytes
    }

    /// Reads the form on the wire; `None` when it is damaged or of another build.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (partial, rest) = postcard::take_from_bytes(bytes).ok()?;
        let assets = if rest.is_empty() { Vec::new() } else { postcard::from_bytes(rest).ok()? };
        Some(CellsPart { partial, assets })
    }
}

/// All parts, added up.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    cells: BTreeMap<CellKey, Vec<i128>>,
    members: BTreeMap<(CellKey, SetKind, u64), i64>,
    firsts: Vec<First>,
    assets: BTreeMap<(PartyId, Day), i64>,
}

impl Gathered {
    /// Adds a part.
    pub fn add(&mut self, part: CellsPart) {
        for (key, sums) in part.partial.cells {
            let known = self.cells.entry(key).or_default();
            known.resize(known.len().max(sums.len()), 0);
            for (known, more) in known.iter_mut().zip(sums) {
                *known += more;
            }
        }
        for SetDelta { key, set, member, weight } in part.partial.members {
            *self.members.entry((key, set, member)).or_default() += weight;
        }
        self.firsts.extend(part.partial.firsts);
        self.assets.extend(part.assets.into_iter().map(|(party, day, fen)| ((party, day), fen)));
    }
}

impl Aggregates {
    /// Compiles a request at a market clock (ms).
    pub fn compile(&self, request: Request<'_>, market_clock_ms: Option<i64>) -> Result<Compiled, RequestError> {
        let date = |field, text: &str| match Day::parse(text) {
            Some(day) if (FIRST_DAY..=LAST_DAY).contains(&day) => Ok(day),
            _ => Err(RequestError::Date { field, text: text.to_owned() }),
        };
        let mut question = Question {
            theme: request.theme.to_owned(),
            dimension: request.dimension.to_owned(),
            items: request.items.to_vec(),
            from: if request.from_date.is_empty() { FIRST_DAY } else { date("from_date", request.from_date)? },
            to: if request.to_date.is_empty() { LAST_DAY } else { date("to_date", request.to_date)? },
            grain: request.grain.unwrap_or(Grain::Whole),
            measures: request.measures.to_vec(),
        };
        let plan = self.ask(&question)?;
        let reads_flow = plan.measures().iter().any(|measure| {
            let form = measure.form;
            form.flow_slots().next().is_some() || form.flow_set().is_some()
        });
        if !reads_flow && plan.stock.is_some() {
            if request.to_date.is_empty() {
                question.to = Day::of_time(market_clock_ms.ok_or(RequestError::NoClock)?);
            }
            (question.from, question.grain) = (question.to, Grain::Whole);
            return Ok(Compiled { plan: self.ask(&question)?, only_stock: true, grain: Grain::Whole });
        }
        let grain = request.grain.ok_or(RequestError::NoGrain)?;
        let days = match grain {
            Grain::Day => 1,
            Grain::Month => 28,
            Grain::Quarter => 90,
            Grain::Year | Grain::Whole => 365,
        };
        if plan.stock.is_some() && (question.to.0 - question.from.0) / days > STOCK_PERIODS_MOST {
            return Err(RequestError::TooManyPeriods);
        }
        Ok(Compiled { plan, only_stock: false, grain })
    }
}

impl Compiled {
    /// Institutions and dates whose total assets the figures need, of what one keeper read.
    pub fn assets_wanted(&self, read: &Partial) -> Vec<(PartyId, Day)> {
        self.assets_wanted_of(read.members.iter().map(|delta| (delta.set, delta.member)))
    }

    pub(super) fn assets_wanted_of(&self, members: impl Iterator<Item = (SetKind, u64)>) -> Vec<(PartyId, Day)> {
        if !self.plan.measures().iter().any(|measure| matches!(measure.form, Form::StockToAssets { .. })) {
            return Vec::new();
        }
        let institutions = members.filter(|(set, _)| *set == SetKind::Institutions);
        let mut parties: Vec<u64> = institutions.map(|(_, member)| member).collect();
        parties.sort_unstable();
        parties.dedup();
        let ends = periods(self.plan.from, self.plan.to, self.grain);
        let of = |bits: u64| ends.iter().map(move |(_, end)| (PartyId::from_bits(bits), *end));
        parties.into_iter().flat_map(of).collect()
    }

    /// Forms the rows.
    pub fn answer(&self, aggregates: &Aggregates, gathered: &Gathered) -> Vec<Answer> {
        let member =
            |(&(key, set, member), &weight): (&(CellKey, SetKind, u64), &i64)| SetDelta { key, set, member, weight };
        let read = Partial {
            cells: gathered.cells.iter().map(|(key, sums)| (*key, sums.clone())).collect(),
            members: gathered.members.iter().map(member).collect(),
            firsts: gathered.firsts.clone(),
        };
        aggregates.answer(&self.plan, &read, &|party, day| gathered.assets.get(&(party, day)).copied())
    }

    /// Figures that need the members of sets, or are none of facts: they cannot be followed by adding up sums.
    pub fn figures_with_members(&self) -> impl Iterator<Item = &str> {
        let of_alerts = self.plan.of_alerts;
        let needs = move |form: Form| {
            of_alerts || form == Form::Newcomers || form.flow_set().is_some() || form.stock_set().is_some()
        };
        self.plan.measures().iter().filter(move |measure| needs(measure.form)).map(|measure| &*measure.name)
    }

    /// Names of the figures, in the order of the answer.
    pub fn measures(&self) -> Vec<String> {
        self.plan.measures().iter().map(|measure| measure.name.to_string()).collect()
    }

    /// The period of a row: `2025-04-08`, `2025-04`, `2025-Q2`, `2025`, `at 2025-04-08`; the total: `2025-01-01..2025-06-30`,
    /// without the date of an open end.
    pub fn period(&self, row: &Answer) -> String {
        self.period_of(row.period_start, row.period_end)
    }

    pub(super) fn period_of(&self, start: Day, end: Day) -> String {
        let (year, month, _) = start.ymd();
        match self.grain {
            _ if self.only_stock => format!("at {end}"),
            Grain::Day => start.to_string(),
            Grain::Month => format!("{year:04}-{month:02}"),
            Grain::Quarter => format!("{year:04}-Q{}", month.div_ceil(3)),
            Grain::Year => format!("{year:04}"),
            Grain::Whole => {
                let shown = |day: Day, open: Day| if day == open { String::new() } else { day.to_string() };
                format!("{}..{}", shown(start, FIRST_DAY), shown(end, LAST_DAY))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{aggregate::Value, items::Item};

    fn request<'a>(theme: &'a str, measures: &'a [String]) -> Request<'a> {
        Request {
            theme,
            dimension: "D.date",
            items: &[],
            from_date: "",
            to_date: "",
            grain: Some(Grain::Month),
            measures,
        }
    }

    #[test]
    fn parts_of_two_keepers_are_one_answer() {
        let aggregates = Aggregates::embedded().unwrap();
        let measures = ["cnt".to_owned()];
        let compiled = aggregates.compile(request("T04", &measures), None).unwrap();
        let pair = compiled.plan.flow.unwrap();
        let part = |day: &str, count| {
            let key = CellKey { pair, date: Day::parse(day).unwrap(), item: Item::ALL };
            let part = CellsPart {
                partial: Partial { cells: vec![(key, vec![count])], ..Partial::default() },
                assets: vec![(PartyId::legal(7), Day(9), count as i64)],
            };
            let bare = CellsPart { assets: Vec::new(), ..part.clone() };
            assert_eq!(bare.encode(), postcard::to_stdvec(&part.partial).unwrap());
            let read = CellsPart::decode(&part.encode()).unwrap();
            assert_eq!((&read.assets, read.partial.cells.len()), (&part.assets, 1));
            read
        };
        // `D.date` has an item a day; the month of an answer is its period.
        let mut gathered = Gathered::default();
        for part in [part("2025-04-08", 2), part("2025-04-08", 3), part("2025-05-01", 4)] {
            gathered.add(part);
        }
        let rows = compiled.answer(&aggregates, &gathered);
        let shown: Vec<_> = rows.iter().map(|row| (compiled.period(row), row.values[0].1)).collect();
        assert_eq!(shown, vec![("2025-04".to_owned(), Value::Number(5)), ("2025-05".to_owned(), Value::Number(4))]);
        assert_eq!(compiled.measures(), ["cnt"]);
    }

    #[test]
    fn a_balance_stands_at_the_clock_unless_a_date_is_named() {
        let aggregates = Aggregates::embedded().unwrap();
        let measures = ["bal_fen".to_owned()];
        let stock = aggregates.themes().iter().find(|theme| {
            theme.stock_slots.len() > 1 && theme.measures.iter().any(|measure| &*measure.name == "bal_fen")
        });
        let theme = stock.unwrap().id.clone();
        let asked = Request { grain: None, ..request(&theme, &measures) };
        assert_eq!(aggregates.compile(asked, None).unwrap_err(), RequestError::NoClock);
        let clock = Day::parse("2025-04-08").unwrap().start_ms();
        let compiled = aggregates.compile(asked, Some(clock)).unwrap();
        assert!(compiled.only_stock);
        assert_eq!(compiled.plan.to, Day::parse("2025-04-08").unwrap());
        let named = aggregates.compile(Request { to_date: "2025-03-31", ..asked }, Some(clock)).unwrap();
        assert_eq!(named.plan.to, Day::parse("2025-03-31").unwrap());
    }

    #[test]
    fn what_cannot_be_answered_is_told() {
        let aggregates = Aggregates::embedded().unwrap();
        let good = request("T04", &[]);
        let refuse = |request| aggregates.compile(request, None).unwrap_err().to_string();
        assert!(refuse(Request { theme: "T99", ..good }).contains("T99"));
        assert!(refuse(Request { from_date: "2025-02-30", ..good }).contains("from_date `2025-02-30`"));
        assert!(refuse(Request { from_date: "2025-02-02", to_date: "2025-02-01", ..good }).contains("swap"));
        assert!(refuse(Request { grain: None, ..good }).contains("grain"));
        assert!(CellsPart::decode(&[255; 9]).is_none());
    }
}
