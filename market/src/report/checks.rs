//! Checks (勾稽关系): two sides over printed cells, made once, or for every row and column that they name.

use super::{
    definition::{CheckForm, ColumnForm, Relation, ReportForm, Unit},
    evaluate::{Course, Place},
    exact::Exact,
    expression::{Expression, Function},
    period::Period,
    result::{Block, CheckResult},
};

impl<'a> Course<'a> {
    /// C0: where a column stands over an axis with a total, the total is the sum of the others.
    pub(super) fn totals(&self, form: &ReportForm, blocks: &[Block]) -> Vec<CheckResult> {
        let mut result = Tried::new("C0");
        for (block, rows) in form.blocks.iter().zip(blocks) {
            let is_total = |column: &ColumnForm| column.over.as_ref().is_some_and(|(_, total)| *total);
            for (at, column) in block.columns.iter().enumerate() {
                let Some((axis, true)) = &column.over else { continue };
                if column.unit != Unit::Amount {
                    continue;
                }
                for row in &rows.rows {
                    let parts = block.columns.iter().zip(&row.cells).filter(|(other, _)| {
                        let same = other.base == column.base && other.over.as_ref().is_some_and(|(on, _)| on == axis);
                        same && !is_total(other)
                    });
                    let total = &row.cells[at];
                    let mut sum = Exact::Number(0);
                    for (_, part) in parts.filter(|(_, part)| !part.is_null()) {
                        sum = sum.plus(part);
                    }
                    let place = || format!("{}/{}/{}", rows.id, row.id, column.id);
                    if !total.is_null() {
                        result.take(total.clone(), sum, Relation::Equal, (0, 1), place);
                    }
                }
            }
        }
        if result.instances == 0 { Vec::new() } else { vec![result.finish()] }
    }

    pub(super) fn check(&self, report: usize, period: Period, check: &'a CheckForm, blocks: &[Block]) -> CheckResult {
        let mut result = Tried::new(&check.id);
        let mut once = |each: Option<(&str, &str)>, place: String| {
            let left = self.side(&check.left, report, period, each);
            let right = self.side(&check.right, report, period, each);
            result.take(left, right, check.relation, check.tolerance, || place.clone());
        };
        let month_ends = period.to.month_start() != period.to.plus(1).month_start();
        match &check.each {
            _ if check.at_month_end && !month_ends => {}
            None => once(None, String::new()),
            Some((block, rows, columns)) => {
                let rows_of: Vec<(String, bool)> = blocks
                    .iter()
                    .filter(|known| known.id == *block)
                    .flat_map(|block| block.rows.iter().map(|row| (row.id.clone(), row.total)))
                    .collect();
                let wanted = |(id, total): &&(String, bool)| match rows.as_str() {
                    "**" => true,
                    "*" => !total,
                    "" => false,
                    listed => listed.split_whitespace().any(|row| row == id),
                };
                let rows: Vec<&str> = match rows.as_str() {
                    "" => vec![""],
                    _ => rows_of.iter().filter(wanted).map(|(id, _)| &**id).collect(),
                };
                let none = [String::new()];
                let columns = if columns.is_empty() { &none[..] } else { columns };
                for row in rows {
                    for column in columns {
                        once(Some((row, column)), format!("{block}/{row}/{column}"));
                    }
                }
            }
        }
        result.finish()
    }

    /// A side of a check: cells with `$row` and `$column` filled in; figures outside all rows.
    fn side(&self, side: &'a Expression, report: usize, period: Period, each: Option<(&str, &str)>) -> Exact {
        match side {
            Expression::Cells(range) => self.range(range, report, period, each),
            Expression::Binary(sign, left, right) => {
                let read = |side: &'a Expression| {
                    let value = self.side(side, report, period, each);
                    // In a sum of a check nothing is 0.
                    if value.is_null() && matches!(sign, '+' | '-') { Exact::Number(0) } else { value }
                };
                let (left, right) = (read(left), read(right));
                match sign {
                    '+' => left.plus(&right),
                    '-' => left.minus(&right),
                    '*' => left.times(&right),
                    _ => left.over(&right),
                }
            }
            Expression::Call(Function::Absolute, arguments) => {
                self.side(&arguments[0], report, period, each).absolute()
            }
            Expression::Call(Function::OrZero, arguments) => {
                let value = self.side(&arguments[0], report, period, each);
                if value.is_null() { Exact::Number(0) } else { value }
            }
            Expression::Call(Function::Greater, arguments) => {
                let side = |at: usize| self.side(&arguments[at], report, period, each);
                let order = side(0).compare(&side(1));
                order.map_or(Exact::Null, |order| Exact::from(order == std::cmp::Ordering::Greater))
            }
            other => self.value(other, &Place::outside(report, period)),
        }
    }
}

/// A check that is made many times.
struct Tried {
    id: String,
    left: Exact,
    right: Exact,
    failed: Option<(Exact, Exact, String)>,
    instances: u32,
}

impl Tried {
    fn new(id: &str) -> Self {
        Tried { id: id.to_owned(), left: Exact::Number(0), right: Exact::Number(0), failed: None, instances: 0 }
    }

    fn take(
        &mut self,
        left: Exact,
        right: Exact,
        relation: Relation,
        (over, under): (i128, i128),
        place: impl FnOnce() -> String,
    ) {
        self.instances += 1;
        let number = |side: &Exact| if side.is_null() { Exact::Number(0) } else { side.clone() };
        let apart = number(&left).minus(&number(&right));
        let allowed = Exact::ratio(over, under);
        let far = match relation {
            Relation::Equal => apart.absolute(),
            Relation::AtMost => apart,
            Relation::AtLeast => apart.times(&Exact::Number(-1)),
        };
        if far.compare(&allowed) == Some(std::cmp::Ordering::Greater) && self.failed.is_none() {
            self.failed = Some((left.clone(), right.clone(), place()));
        }
        self.left = self.left.plus(&number(&left));
        self.right = self.right.plus(&number(&right));
    }

    fn finish(self) -> CheckResult {
        let pass = self.failed.is_none();
        let (left, right, place) = self.failed.unwrap_or((self.left, self.right, String::new()));
        let number = |side: &Exact| if side.is_null() { Exact::Number(0) } else { side.clone() };
        let difference = number(&left).minus(&number(&right));
        CheckResult { id: self.id, left, right, difference, pass, place, instances: self.instances }
    }
}
