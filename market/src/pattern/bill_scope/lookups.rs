//! Functions of reference data, as of an instant: the same for rules on facts and rules on windows.

use super::{as_day, as_i64, as_party, day_number, party_number};
use crate::{
    fact::Behaviour,
    ids::{Code, InstId, PartyId},
    pattern::{
        number::Number,
        sight::{Moment, Registry},
        vocabulary::{Lookup, code_number, number_text, text_number},
        whole::UNKNOWN,
    },
};

/// `is_enterprise` of a party as a number, the short way.
pub(crate) fn is_enterprise(party: i128) -> i128 {
    u64::try_from(party).map_or(UNKNOWN, |bits| PartyId::from_bits(bits).is_enterprise().into())
}

/// The characters of a code that stands as a number ([`text_number`]).
fn text_of(number: i128) -> Option<smallvec::SmallVec<[u8; 16]>> {
    let bytes = u128::try_from(number).ok()?.to_be_bytes();
    Some(bytes.into_iter().take_while(|byte| *byte != 0).collect())
}

/// Functions of reference data, as of an instant.
pub(crate) fn lookup(
    registry: &impl Registry,
    moment: Moment,
    function: Lookup,
    arguments: &[Number],
) -> Option<Number> {
    let party = |place: usize| arguments.get(place).copied().and_then(as_party);
    Some(match function {
        Lookup::Related => registry.related(party(0)?, party(1)?, moment)?.into(),
        Lookup::Known => registry.known(party(0)?, moment).into(),
        Lookup::TradeWeight => registry.trade_weight(party(0)?, party(1)?, moment).into(),
        Lookup::WatchListed => registry.watch_listed(party(0)?, moment).into(),
        Lookup::HasFlag => {
            let flag = Code::from_bytes(text_of(arguments.get(1)?.as_whole()?)?.as_slice())?;
            registry.has_flag(party(0)?, flag, moment)?.into()
        }
        Lookup::DisclosureDay => {
            let kind = number_text(*arguments.get(1)?).and_then(|kind| Behaviour::parse(&kind))?;
            registry.disclosure_day(party(0)?, kind, moment).map_or(Number::ZERO, day_number)
        }
        Lookup::DisclosedMonth => i64::from(registry.disclosed_month(party(0)?, moment).unwrap_or(0)).into(),
        Lookup::BackgroundFen => {
            let number = u64::try_from(arguments.get(1)?.as_whole()?).ok()?;
            registry.background_fen(party(0)?, number, moment)?.into()
        }
        Lookup::Sharing => {
            let address = *arguments.get(1)? == text_number("address");
            Number::whole(registry.sharing(party(0)?, address, moment)? as i128)
        }
        Lookup::LookalikeProvince => {
            let inner = usize::try_from(arguments.get(2)?.as_whole()?).ok()?;
            match registry.lookalike_province(party(0)?, (*arguments.get(1)?, inner), moment) {
                None => Number::ZERO,
                Some(province) => province.as_ref().map_or(Number::whole(1), code_number),
            }
        }
        Lookup::IsEnterprise => party(0)?.is_enterprise().into(),
        Lookup::Tier => code_number(&registry.tier(party(0)?, moment)?),
        Lookup::BusinessDay => {
            let day = as_day(*arguments.first()?)?;
            let count = arguments.get(1)?.as_whole()?;
            let days = u32::try_from(count.unsigned_abs()).ok()?;
            let calendar = registry.calendar();
            day_number(if count < 0 { calendar.minus(day, days) } else { calendar.plus(day, days) })
        }
        Lookup::ReferenceRate => {
            let kind = Code::from_bytes(text_of(arguments.first()?.as_whole()?)?.as_slice())?;
            registry.reference_rate_e4(kind, as_i64(*arguments.get(1)?)?, moment)?.into()
        }
        Lookup::HeadOffice => {
            let branch = u32::try_from(arguments.first()?.as_whole()?).ok()?;
            party_number(registry.head_office(InstId(branch), moment)?)
        }
        Lookup::IsBusinessDay => registry.calendar().is_business_day(as_day(*arguments.first()?)?).into(),
        Lookup::BusinessDays => {
            let (after, until) = (as_day(*arguments.first()?)?, as_day(*arguments.get(1)?)?);
            i64::from(registry.calendar().count_between(after, until)).into()
        }
        Lookup::CreditLineFen => registry.credit_line_fen(party(0)?, party(1)?, moment)?.into(),
    })
}
