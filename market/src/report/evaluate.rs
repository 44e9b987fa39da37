//! From figures to a report: one interpreter for all definitions. Pure; nothing is rounded.
//!
//! [`questions`] runs the interpreter over figures that only note what is asked for; what it noted is what a [`Tally`] counts.
//! [`evaluate`] then runs it over the tables. So both can never disagree about what a report reads.
//!
//! [`Tally`]: super::tally::Tally

use std::{borrow::Cow, cell::RefCell, collections::BTreeSet, rc::Rc};

use hashbrown::HashMap;

use super::{
    definition::{Book, ColumnForm, Definitions, ReportForm, RowForm, RowsFrom, Select},
    exact::Exact,
    expression::{CellRange, Expression, Function, Named},
    period::{Period, Shift},
    result::{Block, Report, Row, Status},
    sets::{Weights, of_set},
    slot::{Members, Slot},
    source::{Figures, Notebook, Source},
    tally::Asked,
};
use crate::{ids::PartyId, items::Item};

/// Definitions may stand for definitions, so deep.
const DEEPEST: u32 = 20;

/// Everything that these reports read, checks with other reports included, in a fixed order.
pub fn questions(book: &Book, wanted: &[(usize, Period)]) -> Vec<Asked> {
    let notebook = Notebook::default();
    let course = Course { book, source: &notebook, blocks: RefCell::default() };
    for (report, period) in wanted {
        course.report(*report, *period, false);
    }
    notebook.asked.into_inner().into_iter().collect()
}

/// Makes reports. `is_final`: no fact of the period can come in time any more.
pub fn evaluate(
    book: &Book,
    wanted: &[(usize, Period)],
    figures: &Figures,
    is_final: impl Fn(Period) -> bool,
) -> Vec<Report> {
    let course = Course { book, source: figures, blocks: RefCell::default() };
    wanted.iter().map(|(report, period)| course.report(*report, *period, is_final(*period))).collect()
}

type BlockRows = Rc<Vec<Block>>;

pub(super) struct Course<'a> {
    pub(super) book: &'a Book,
    source: &'a dyn Source,
    /// Rows that are made: checks of many reports read the same ones.
    blocks: RefCell<HashMap<(usize, Period), BlockRows>>,
}

/// Where an expression is evaluated.
#[derive(Clone)]
pub(super) struct Place<'a> {
    pub(super) report: usize,
    pub(super) period: Period,
    pub(super) at: Vec<(&'a str, Select)>,
    pub(super) shift: Shift,
    pub(super) row: Option<&'a Definitions>,
    pub(super) party: Option<PartyId>,
    pub(super) depth: u32,
}

/// A sum, or the members of a set.
enum Found {
    Value(Exact),
    Set(Members, Weights),
}

impl Place<'_> {
    /// Outside all rows and columns.
    pub(super) fn outside(report: usize, period: Period) -> Self {
        Place { report, period, at: Vec::new(), shift: Shift::Now, row: None, party: None, depth: 0 }
    }
}

impl<'a> Course<'a> {
    fn form(&self, report: usize) -> &'a ReportForm {
        &self.book.reports[report]
    }

    fn report(&self, number: usize, period: Period, is_final: bool) -> Report {
        let form = self.form(number);
        let blocks = self.blocks(number, period);
        let mut checks = self.totals(form, &blocks);
        checks.extend(form.checks.iter().map(|check| self.check(number, period, check, &blocks)));
        let status = match checks.iter().all(|check| check.pass) {
            false => Status::CheckFailed,
            true if is_final => Status::Final,
            true => Status::Prelim,
        };
        Report { id: form.id.clone(), period, status, blocks: blocks.to_vec(), checks }
    }

    fn blocks(&self, number: usize, period: Period) -> BlockRows {
        if let Some(known) = self.blocks.borrow().get(&(number, period)) {
            return known.clone();
        }
        let form = self.form(number);
        let mut blocks = Vec::new();
        for block in &form.blocks {
            let mut rows = Vec::new();
            let at: Vec<(&str, Select)> = block.at.iter().map(|(axis, select)| (&**axis, select.clone())).collect();
            let place = Place { report: number, period, at, shift: Shift::Now, row: None, party: None, depth: 0 };
            for row in &block.rows {
                let mut place = place.clone();
                place.at.extend(row.at.iter().map(|(axis, select)| (&**axis, select.clone())));
                place.row = Some(&row.define);
                self.rows(row, &block.columns, place, &mut rows);
            }
            blocks.push(Block { id: block.id.clone(), rows });
        }
        let blocks = Rc::new(blocks);
        self.blocks.borrow_mut().insert((number, period), blocks.clone());
        blocks
    }

    fn rows(&self, form: &'a RowForm, columns: &'a [ColumnForm], place: Place<'a>, rows: &mut Vec<Row>) {
        let cells =
            |place: &Place<'a>| -> Vec<Exact> { columns.iter().map(|column| self.cell(form, column, place)).collect() };
        match &form.from {
            RowsFrom::One => rows.push(Row {
                id: form.id.clone(),
                english: form.english.clone(),
                chinese: form.chinese.clone(),
                total: form.total,
                cells: cells(&place),
            }),
            RowsFrom::DaysAhead(axis, days) => {
                for ahead in 1..=i32::from(*days) {
                    let day = place.period.to.plus(ahead);
                    let mut place = place.clone();
                    place.at.push((axis, Select::Items(vec![Item::day(day)])));
                    let title = day.to_string();
                    let cells = cells(&place);
                    let id = format!("D{ahead}");
                    rows.push(Row { id, english: title.clone(), chinese: title, total: false, cells });
                }
            }
            RowsFrom::Each { axis, figures, keep, order } => {
                let mut items = BTreeSet::new();
                for figure in figures {
                    let asked = self.asked(&place, *figure, Shift::Now);
                    let axis = self.form(place.report).figures[*figure].axis(axis);
                    if let (Some(table), Some(axis)) = (self.source.table(&asked), axis) {
                        items.extend(table.keys().map(|key| key[axis]));
                    }
                }
                if self.source.is_dry() {
                    items.insert(Item::NA);
                }
                let mut found = Vec::new();
                for item in items {
                    let mut place = place.clone();
                    place.at.push((axis, Select::Items(vec![item])));
                    place.party = item.as_party();
                    let kept = self.value(keep, &place).is_true();
                    let order = self.value(order, &place);
                    if kept || self.source.is_dry() {
                        found.push((order, item, place));
                    }
                }
                // Largest first; nothing last; then by item.
                found.sort_by(|(left, one, _), (right, other, _)| {
                    let by_value = match (left.is_null(), right.is_null()) {
                        (false, false) => right.compare(left).unwrap_or(std::cmp::Ordering::Equal),
                        (left, right) => left.cmp(&right),
                    };
                    by_value.then(one.cmp(other))
                });
                for (_, item, place) in found {
                    let id = self.book.meanings.vocabulary().item_text(item);
                    let about = place.party.and_then(|party| self.source.about(place.period.to, party));
                    let name = about.map_or_else(|| id.clone(), |about| about.name.clone());
                    let cells = cells(&place);
                    rows.push(Row { id, english: name.clone(), chinese: name, total: form.total, cells });
                }
            }
        }
    }

    fn cell(&self, row: &'a RowForm, column: &'a ColumnForm, place: &Place<'a>) -> Exact {
        let value = match row.cells.get(&column.base) {
            Some(own) => own.as_ref(),
            None => column.value.as_ref(),
        };
        let Some(value) = value else { return Exact::Null };
        let mut place = place.clone();
        place.at.extend(column.at.iter().map(|(axis, select)| (&**axis, select.clone())));
        self.value(value, &place)
    }

    fn asked(&self, place: &Place<'_>, figure: usize, shift: Shift) -> Asked {
        let span = place.period.span(shift, self.book.meanings.calendar());
        Asked { report: place.report as u16, figure: figure as u16, span }
    }

    pub(super) fn value(&self, expression: &'a Expression, place: &Place<'a>) -> Exact {
        if place.depth > DEEPEST {
            return Exact::Null;
        }
        match expression {
            Expression::Number(number) => Exact::Number(*number),
            Expression::Name(named) => match self.named(named, place) {
                Found::Value(value) => value,
                Found::Set(_, members) => {
                    Exact::Number(members.values().filter(|(number, _)| *number != 0).count() as i128)
                }
            },
            Expression::Cells(range) => self.range(range, place.report, place.period, None),
            Expression::Binary(sign, left, right) => {
                let (left, right) = (self.value(left, place), self.value(right, place));
                match sign {
                    '+' => left.plus(&right),
                    '-' => left.minus(&right),
                    '*' => left.times(&right),
                    _ => left.over(&right),
                }
            }
            Expression::Call(function, arguments) => self.call(*function, arguments, place),
        }
    }

    fn named(&self, named: &'a Named, place: &Place<'a>) -> Found {
        let mut place = place.clone();
        place.depth += 1;
        if named.shift != Shift::Now {
            place.shift = named.shift;
        }
        for (axis, code) in &named.at {
            place.at.retain(|(known, _)| known != axis);
            if let Some(on_axis) = self.book.axes.get(axis).and_then(|axis| axis.place(code)) {
                place.at.push((axis, on_axis.select.clone()));
            }
        }
        let form = self.form(place.report);
        if named.slot.is_empty() {
            let own = place.row.and_then(|row| row.get(&named.name));
            if let Some(definition) = own.or_else(|| form.define.get(&named.name)) {
                return match definition {
                    Expression::Name(named) if place.depth <= DEEPEST => self.named(named, &place),
                    definition => Found::Value(self.value(definition, &place)),
                };
            }
        }
        self.figure(named, &place)
    }

    /// Reads a figure where the place says; nothing when the place names an axis that the figure does not have.
    fn figure(&self, named: &Named, place: &Place<'_>) -> Found {
        let form = self.form(place.report);
        let Some(number) = form.figures.iter().position(|figure| figure.name == named.name) else {
            return Found::Value(Exact::Null);
        };
        let figure = &form.figures[number];
        let asked = self.asked(place, number, place.shift);
        let table = self.source.table(&asked);
        let mut selects: Vec<(usize, &Select)> = Vec::new();
        for (axis, select) in place.at.iter().filter(|(_, select)| *select != Select::All) {
            match figure.axis(axis) {
                Some(at) => selects.push((at, select)),
                None => return Found::Value(Exact::Null),
            }
        }
        let Some(slot) = figure.slot(&named.slot) else { return Found::Value(Exact::Null) };
        let rows = table.into_iter().flatten();
        let wanted = rows.filter(|(key, _)| selects.iter().all(|(at, select)| select.holds(key[*at])));
        match slot {
            Slot::Amount(at) => Found::Value(Exact::Number(wanted.map(|(_, held)| held.sums[at]).sum())),
            Slot::Members(at) => {
                let mut members = Weights::new();
                for (_, held) in wanted {
                    for (member, (count, weight)) in &held.members[at] {
                        let known = members.entry(*member).or_default();
                        known.0 += count;
                        known.1 += weight;
                    }
                }
                members.retain(|_, known| *known != (0, 0));
                Found::Set(figure.set(at), members)
            }
        }
    }

    fn call(&self, function: Function, arguments: &'a [Expression], place: &Place<'a>) -> Exact {
        let value = |at: usize| self.value(&arguments[at], place);
        match function {
            Function::Absolute => return value(0).absolute(),
            Function::Greater => {
                let order = value(0).compare(&value(1));
                return order.map_or(Exact::Null, |order| Exact::from(order == std::cmp::Ordering::Greater));
            }
            Function::OrZero => {
                let value = value(0);
                return if value.is_null() { Exact::Number(0) } else { value };
            }
            Function::About => return self.about(&arguments[0], place),
            _ => {}
        }
        let set = match &arguments[0] {
            Expression::Name(named) => self.named(named, place),
            _ => return Exact::Null,
        };
        if let (Function::SumOver, Found::Set(_, members)) = (function, &set) {
            let parties = members.iter().filter(|(_, (number, _))| *number != 0);
            let parties = parties.map(|(member, _)| Item::party(PartyId::from_bits(*member))).collect();
            let mut place = place.clone();
            place.at.push(("party", Select::Items(parties)));
            return self.value(&arguments[1], &place);
        }
        if let (Function::Without, Found::Set(_, members)) = (function, &set) {
            let Expression::Name(other) = &arguments[1] else { return Exact::Null };
            let Found::Set(_, others) = self.named(other, place) else { return Exact::Null };
            let new = members.keys().filter(|member| !others.contains_key(*member)).count();
            return Exact::Number(new as i128);
        }
        let number = arguments.get(1).and_then(|argument| match argument {
            Expression::Number(number) => Some(*number),
            _ => None,
        });
        let number = number.unwrap_or(0);
        let Found::Set(kind, members) = set else { return Exact::Null };
        of_set(function, number, kind, &members)
    }

    fn about(&self, what: &Expression, place: &Place<'_>) -> Exact {
        let (Expression::Name(named), Some(party)) = (what, place.party) else { return Exact::Null };
        let Some(about) = self.source.about(place.period.to, party) else { return Exact::Null };
        let item = |item: Option<Item>| item.map_or_else(String::new, |item| self.book.title(item));
        let text = match named.name.as_str() {
            "name" => about.name.clone(),
            "uscc" => about.uscc.clone(),
            "province" => item(about.province),
            "kind" => item(about.kind),
            "group" => about.group.clone(),
            "sheet_date" => about.sheet_date.clone(),
            "disclosed_on" => about.disclosed_on.clone(),
            _ => String::new(),
        };
        if text.is_empty() { Exact::Null } else { Exact::Text(text) }
    }

    /// The sum of printed cells; what is nothing adds nothing, and only nothing is nothing.
    pub(super) fn range(
        &self,
        range: &'a CellRange,
        report: usize,
        period: Period,
        each: Option<(&str, &str)>,
    ) -> Exact {
        let (number, period) = if range.report.is_empty() {
            (report, period)
        } else {
            let Some(number) = self.book.number(&range.report) else { return Exact::Null };
            let calendar = self.book.meanings.calendar();
            (number, period.of_report(range.shift, self.form(number).frequency, calendar))
        };
        let form = self.form(number);
        let blocks = self.blocks(number, period);
        let Some(at) = form.blocks.iter().position(|block| block.id == range.block) else { return Exact::Null };
        let columns = &form.blocks[at].columns;
        // Spelt once: a check asks for a range at every place that it names. `None` is `*`, all that are no totals.
        let spelt = |id: &'a String| -> Option<Cow<'_, str>> {
            Some(match (id.as_str(), each) {
                ("*", _) => return None,
                ("$row", Some((row, _))) => row.into(),
                (id, Some((_, column))) if id.contains("$column") => id.replace("$column", column).into(),
                (id, _) => id.into(),
            })
        };
        let rows: Vec<_> = range.rows.iter().map(spelt).collect();
        let wanted_columns: Vec<_> = range.columns.iter().map(spelt).collect();
        let names = |wanted: &[Option<Cow<'_, str>>], id: &str, total: bool| {
            wanted.iter().any(|wanted| wanted.as_ref().map_or(!total, |wanted| wanted == id))
        };
        let is_total = |column: &ColumnForm| column.over.as_ref().is_some_and(|(_, total)| *total);
        let is_wanted = |column: &ColumnForm| names(&wanted_columns, &column.id, is_total(column));
        let places: Vec<usize> = (0..columns.len()).filter(|place| is_wanted(&columns[*place])).collect();
        let mut sum = Exact::Null;
        for row in blocks[at].rows.iter().filter(|row| names(&rows, &row.id, row.total)) {
            for cell in places.iter().map(|place| &row.cells[*place]).filter(|cell| !cell.is_null()) {
                sum = if sum.is_null() { cell.clone() } else { sum.plus(cell) };
            }
        }
        sum
    }
}

impl Book {
    /// The Chinese title of an item, its text where it has none.
    pub fn title(&self, item: Item) -> String {
        let text = self.meanings.vocabulary().item_text(item);
        match item.kind() {
            crate::items::ItemKind::Code(enumeration, _) => {
                let name = self.meanings.vocabulary().enumeration_name(enumeration);
                let table = self.meanings.catalogue().enums.iter().find(|table| &*table.name == name);
                let found = table.and_then(|table| table.items.iter().find(|item| *item.code == *text));
                found.map_or(text, |item| item.chinese.to_string())
            }
            _ => text,
        }
    }
}
