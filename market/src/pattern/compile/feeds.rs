//! What feeds a feature: behaviours, or records of books, which say nothing but what stands in them.

use super::{RuleError, behaviours, entry_error};
use crate::{
    books,
    fact::Behaviour,
    pattern::{
        expression::Node,
        rules::Emit,
        vocabulary::{Derived, Lookup, Variable},
    },
};

/// The behaviours of `on`, or the records of books that it names.
pub(super) fn feeding(feature: &str, codes: &[String]) -> Result<Vec<Behaviour>, RuleError> {
    match codes.iter().map(|code| books::parse(code)).collect::<Option<Vec<Behaviour>>>() {
        Some(of_books) => Ok(of_books),
        None => behaviours(feature, "on", codes),
    }
}

/// A record of a book is valued once, when it comes: what it adds must hang on nothing that changes later (reference data,
/// parameters), and there is no bill, no role and no stamp.
pub(super) fn check_of_book(feature: &str, emit: &Emit, by_arrival: bool) -> Result<(), RuleError> {
    if !emit.on.iter().any(|behaviour| *behaviour >= books::LINE) {
        return Ok(());
    }
    let mut is_said = !by_arrival && !emit.each_surety && emit.from.is_none();
    for node in emit.condition.iter().chain(&emit.key).chain(&emit.member).chain(&emit.amount) {
        node.walk(&mut |node| {
            is_said &= match node {
                Node::Variable(Variable::Field(_)) | Node::Lookup(Lookup::IsEnterprise, _) => true,
                Node::Variable(Variable::Derived(derived)) => {
                    let own = [Derived::Amount, Derived::Date, Derived::BillId, Derived::RangeMark];
                    own.contains(derived)
                }
                Node::Variable(_) | Node::Parameter(_) | Node::History(..) | Node::Lookup(..) => false,
                _ => true,
            };
        });
    }
    let remedy =
        "a record of a book feeds by its own fields, `amount_fen`, `biz_date`, `bill_id` and `range_mark` alone";
    if is_said { Ok(()) } else { Err(entry_error(feature, "emit", remedy)) }
}
