//! From definitions as written to definitions that can be evaluated: every name, axis, expression and id is checked here.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;

use super::{
    definition::{
        At, Axis, BASE_FILE, BlockForm, Book, CheckForm, ColumnForm, DefinitionError, Definitions, Place, Relation,
        ReportForm, RowForm, RowsFrom, Select,
    },
    expression::{Expression, Named},
    figure::{Figure, FigureText},
    names::ReportName,
    period::Frequency,
    text::{AxisText, BaseText, BlockText, CheckText, ColumnText, ReportText, RowText},
};
use crate::{catalogue::Catalogue, items::Vocabulary, observe::Meanings};

struct Reader<'a> {
    catalogue: &'a Catalogue,
    meanings: &'a Meanings,
    axes: BTreeMap<String, Axis>,
    measures: BTreeMap<String, FigureText>,
    file: String,
}

impl Book {
    /// Compiles the definitions of a catalogue; reports without a file are left out.
    pub fn read(meanings: &Arc<Meanings>) -> Result<Book, DefinitionError> {
        let catalogue = meanings.catalogue().clone();
        let base: BaseText = json(BASE_FILE, catalogue.text(BASE_FILE).unwrap_or_default())?;
        let mut reader = Reader {
            catalogue: &catalogue,
            meanings,
            axes: BTreeMap::new(),
            measures: base.measures,
            file: BASE_FILE.to_owned(),
        };
        for (name, text) in base.axes {
            let axis = reader.axis(&text).map_err(|fault| reader.error(&format!("axes.{name}"), fault))?;
            reader.axes.insert(name, axis);
        }
        let mut reports = Vec::new();
        for row in &catalogue.reports {
            reader.file = format!("{}.json", row.id);
            let Some(text) = catalogue.text(&reader.file) else { continue };
            let text: ReportText = json(&reader.file, text)?;
            if *text.id != *row.id {
                return Err(reader.error("id", format!("write {}", row.id)));
            }
            let frequency = Frequency::parse(&row.frequency)
                .ok_or_else(|| reader.error("id", "reports.csv: frequency must be D, W, M or Q".to_owned()))?;
            let mut form = reader.report(text, frequency)?;
            (form.english, form.chinese) = (row.english.to_string(), row.chinese.to_string());
            reports.push(form);
        }
        let book = Book { reports, axes: reader.axes, meanings: meanings.clone() };
        book.check_ranges()?;
        Ok(book)
    }
}

fn json<T: for<'de> Deserialize<'de>>(file: &str, text: &str) -> Result<T, DefinitionError> {
    serde_json::from_str(text).map_err(|error| DefinitionError {
        file: file.to_owned(),
        entry: format!("line {}", error.line()),
        fault: error.to_string(),
    })
}

impl Reader<'_> {
    fn error(&self, entry: &str, fault: String) -> DefinitionError {
        DefinitionError { file: self.file.clone(), entry: entry.to_owned(), fault }
    }

    fn vocabulary(&self) -> &Vocabulary {
        self.meanings.vocabulary()
    }

    fn axis(&self, text: &AxisText) -> Result<Axis, String> {
        let enumeration = match text.enumeration.as_str() {
            "" => None,
            name => Some(
                self.vocabulary().enumeration(name).ok_or_else(|| format!("no enumeration `{name}` in enums.csv"))?,
            ),
        };
        let item =
            |code: &str| self.vocabulary().parse_item(enumeration, code).ok_or_else(|| format!("no item `{code}`"));
        let mut places = Vec::new();
        let mut listed = Vec::new();
        let codes: Vec<&str> = match (text.items.as_str(), enumeration) {
            ("", Some(enumeration)) => self.vocabulary().codes(enumeration).iter().map(String::as_str).collect(),
            (items, _) => items.split_whitespace().collect(),
        };
        for code in codes {
            let item = item(code)?;
            listed.push(item);
            let (english, chinese) = self.titles(&text.enumeration, code);
            let select = Select::Items(vec![item]);
            places.push(Place { code: code.to_owned(), english, chinese, select, total: false });
        }
        for extra in &text.extra {
            let items = extra.items.split_whitespace().map(item).collect::<Result<Vec<_>, _>>()?;
            if !extra.of {
                listed.extend(&items);
            }
            places.push(Place {
                code: extra.code.clone(),
                english: extra.en.clone(),
                chinese: extra.zh.clone(),
                select: Select::Items(items),
                total: extra.of,
            });
        }
        if let Some(rest) = &text.rest {
            places.push(Place {
                code: rest.code.clone(),
                english: rest.en.clone(),
                chinese: rest.zh.clone(),
                select: Select::Rest(listed),
                total: false,
            });
        }
        if text.total {
            places.push(Place {
                code: "TOTAL".to_owned(),
                english: "Total".to_owned(),
                chinese: "合计".to_owned(),
                select: Select::All,
                total: true,
            });
        }
        Ok(Axis { places, enumeration })
    }

    fn titles(&self, enumeration: &str, code: &str) -> (String, String) {
        let table = self.catalogue.enums.iter().find(|table| &*table.name == enumeration);
        let item = table.and_then(|table| table.items.iter().find(|item| &*item.code == code));
        item.map_or_else(
            || (code.to_owned(), code.to_owned()),
            |item| (item.english.to_string(), item.chinese.to_string()),
        )
    }

    fn report(&self, text: ReportText, frequency: Frequency) -> Result<ReportForm, DefinitionError> {
        let mut figures = Vec::new();
        for (name, figure) in text.figures {
            let entry = format!("figures.{name}");
            figures.push(self.figure(&name, figure).map_err(|fault| self.error(&entry, fault))?);
        }
        let define = self.definitions("define", &text.define)?;
        let mut form = ReportForm {
            id: text.id,
            english: String::new(),
            chinese: String::new(),
            frequency,
            notes: text.notes,
            figures,
            define,
            blocks: Vec::new(),
            checks: Vec::new(),
        };
        for block in text.blocks {
            self.block(block, &mut form)?;
        }
        for check in text.checks {
            let entry = format!("checks.{}", check.id);
            form.checks.push(self.check(check).map_err(|fault| self.error(&entry, fault))?);
        }
        self.ask_slots(&mut form)?;
        Ok(form)
    }

    fn figure(&self, name: &str, text: FigureText) -> Result<Figure, String> {
        let text = if text.base.is_empty() {
            text
        } else {
            let base = self.measures.get(&text.base);
            let base = base.ok_or_else(|| format!("use: no measure `{}` in {BASE_FILE}", text.base))?;
            text.over(base)
        };
        let figure = Figure::compile(name, text, self.catalogue, self.meanings)?;
        for (axis, name) in &figure.by {
            let known = self.axes.get(axis).ok_or_else(|| format!("by: no axis `{axis}` in {BASE_FILE}"))?;
            let fits = matches!(name, ReportName::Alert(_)) || known.enumeration == name.enumeration(self.vocabulary());
            if !fits {
                return Err(format!("by: the items of axis `{axis}` lie in another enumeration"));
            }
        }
        Ok(figure)
    }

    fn expression(&self, entry: &str, text: &str) -> Result<Expression, DefinitionError> {
        Expression::parse(text).map_err(|fault| self.error(entry, format!("`{text}`: {fault}")))
    }

    fn definitions(&self, entry: &str, texts: &BTreeMap<String, String>) -> Result<Definitions, DefinitionError> {
        let read =
            |(name, text): (&String, &String)| Ok((name.clone(), self.expression(&format!("{entry}.{name}"), text)?));
        texts.iter().map(read).collect()
    }

    fn at(&self, entry: &str, texts: &BTreeMap<String, String>) -> Result<At, DefinitionError> {
        let mut at = At::new();
        for (axis, code) in texts {
            let place = self.axes.get(axis).and_then(|axis| axis.place(code));
            let place = place.ok_or_else(|| self.error(entry, format!("at: no place `{code}` on an axis `{axis}`")))?;
            at.push((axis.clone(), place.select.clone()));
        }
        Ok(at)
    }

    fn places(&self, entry: &str, axis: &str) -> Result<&Axis, DefinitionError> {
        self.axes.get(axis).ok_or_else(|| self.error(entry, format!("over: no axis `{axis}` in {BASE_FILE}")))
    }

    fn block(&self, text: BlockText, form: &mut ReportForm) -> Result<(), DefinitionError> {
        let entry = format!("blocks.{}", text.id);
        let mut rows = Vec::new();
        for row in text.rows {
            self.row(&entry, row, form, &mut rows)?;
        }
        let mut columns = Vec::new();
        for column in text.columns {
            self.column(&entry, column, &mut columns)?;
        }
        for (what, ids) in [
            ("row", rows.iter().map(|row| &row.id).filter(|id| !id.is_empty()).collect::<Vec<_>>()),
            ("column", columns.iter().map(|column: &ColumnForm| &column.id).collect()),
        ] {
            if let Some((at, id)) = ids.iter().enumerate().find(|(at, id)| ids[..*at].contains(id)) {
                return Err(self.error(&entry, format!("{what} `{id}` stands twice (again as number {})", at + 1)));
            }
        }
        let block = BlockForm { id: text.id, english: text.en, chinese: text.zh, at: At::new(), rows, columns };
        if text.over.is_empty() {
            form.blocks.push(block);
            return Ok(());
        }
        for place in &self.places(&entry, &text.over)?.places {
            form.blocks.push(BlockForm {
                id: format!("{}.{}", block.id, place.code),
                english: format!("{}: {}", block.english, place.english),
                chinese: format!("{}：{}", block.chinese, place.chinese),
                at: vec![(text.over.clone(), place.select.clone())],
                ..block.clone()
            });
        }
        Ok(())
    }

    fn row(
        &self,
        entry: &str,
        text: RowText,
        form: &ReportForm,
        rows: &mut Vec<RowForm>,
    ) -> Result<(), DefinitionError> {
        let entry = format!("{entry}.rows.{}", if text.id.is_empty() { &text.over } else { &text.id });
        let at = self.at(&entry, &text.at)?;
        let define = self.definitions(&entry, &text.define)?;
        let mut cells = BTreeMap::new();
        for (column, value) in &text.cells {
            let value = if value.is_empty() { None } else { Some(self.expression(&entry, value)?) };
            cells.insert(column.clone(), value);
        }
        let row = RowForm {
            id: text.id,
            english: text.en,
            chinese: text.zh,
            from: RowsFrom::One,
            at,
            define,
            cells,
            total: text.total,
        };
        if !text.over.is_empty() {
            for place in &self.places(&entry, &text.over)?.places {
                let mut at = row.at.clone();
                at.push((text.over.clone(), place.select.clone()));
                let (id, english, chinese) = match row.id.as_str() {
                    "" => (place.code.clone(), place.english.clone(), place.chinese.clone()),
                    id => (
                        format!("{id}.{}", place.code),
                        format!("{}: {}", row.english, place.english),
                        format!("{}：{}", row.chinese, place.chinese),
                    ),
                };
                rows.push(RowForm { id, english, chinese, at, total: place.total || row.total, ..row.clone() });
            }
        } else if let Some(each) = text.each {
            let number = |name: &String| {
                let found = form.figures.iter().position(|figure| figure.name == *name);
                let found = found.filter(|at| form.figures[*at].axis(&each.axis).is_some());
                found.ok_or_else(|| self.error(&entry, format!("each: no figure `{name}` by axis `{}`", each.axis)))
            };
            let figures = each.figures.iter().map(number).collect::<Result<_, _>>()?;
            let keep = Box::new(self.expression(&entry, &each.keep)?);
            let order = Box::new(self.expression(&entry, &each.order)?);
            rows.push(RowForm { from: RowsFrom::Each { axis: each.axis, figures, keep, order }, ..row });
        } else if text.days_ahead > 0 {
            rows.push(RowForm { from: RowsFrom::DaysAhead("day".to_owned(), text.days_ahead), ..row });
        } else if row.id.is_empty() {
            return Err(self.error(&entry, "a row needs an id, over, each or days_ahead".to_owned()));
        } else {
            rows.push(row);
        }
        Ok(())
    }

    fn column(&self, entry: &str, text: ColumnText, columns: &mut Vec<ColumnForm>) -> Result<(), DefinitionError> {
        let entry = format!("{entry}.columns.{}", text.id);
        let value = match text.value.as_str() {
            "" if text.note.is_empty() => {
                return Err(self.error(&entry, "a column without a value needs a note that says why".to_owned()));
            }
            "" => None,
            value => Some(self.expression(&entry, value)?),
        };
        let column = ColumnForm {
            id: text.id.clone(),
            base: text.id,
            english: text.en,
            chinese: text.zh,
            over: None,
            at: self.at(&entry, &text.at)?,
            value,
            unit: text.unit,
            note: text.note,
        };
        if text.over.is_empty() {
            columns.push(column);
            return Ok(());
        }
        for place in &self.places(&entry, &text.over)?.places {
            let mut at = column.at.clone();
            at.push((text.over.clone(), place.select.clone()));
            columns.push(ColumnForm {
                id: format!("{}.{}", column.base, place.code),
                english: format!("{}: {}", column.english, place.english),
                chinese: format!("{}：{}", column.chinese, place.chinese),
                over: Some((text.over.clone(), place.total)),
                at,
                ..column.clone()
            });
        }
        Ok(())
    }

    fn check(&self, text: CheckText) -> Result<CheckForm, String> {
        let side = |text: &str| Expression::parse(text).map_err(|fault| format!("`{text}`: {fault}"));
        let relation = match text.relation.as_str() {
            "" | "=" => Relation::Equal,
            "<=" => Relation::AtMost,
            ">=" => Relation::AtLeast,
            other => return Err(format!("relation: `{other}` is none of =, <=, >=")),
        };
        let at_month_end = match text.when.as_str() {
            "" => false,
            "month_end" => true,
            other => return Err(format!("when: `{other}` is not month_end")),
        };
        let (over, under) = text.tolerance.split_once('/').unwrap_or((&text.tolerance, "1"));
        let number = |part: &str| -> Result<i128, String> {
            let part = if part.is_empty() { "0" } else { part };
            part.parse().map_err(|_| format!("tolerance: `{part}` is no whole number"))
        };
        let tolerance = (number(over)?, number(under)?);
        let columns: Vec<String> = text.columns.split_whitespace().map(str::to_owned).collect();
        let each = (!text.block.is_empty()).then_some((text.block, text.rows, columns));
        Ok(CheckForm {
            id: text.id,
            english: text.en,
            chinese: text.zh,
            left: side(&text.left)?,
            right: side(&text.right)?,
            relation,
            tolerance,
            at_month_end,
            each,
        })
    }

    /// Every name must be known where it is used; figures note which slots are asked for.
    fn ask_slots(&self, form: &mut ReportForm) -> Result<(), DefinitionError> {
        let mut asked: Vec<(String, Named, Vec<String>)> = Vec::new();
        let mut note = |entry: &str, expression: &Expression, known: &[String]| {
            expression.each_name(&mut |named| asked.push((entry.to_owned(), named.clone(), known.to_vec())));
        };
        for (name, expression) in &form.define {
            note(&format!("define.{name}"), expression, &[]);
        }
        for block in &form.blocks {
            for row in &block.rows {
                let entry = format!("blocks.{}.rows.{}", block.id, row.id);
                let known: Vec<String> = row.define.keys().cloned().collect();
                for expression in row.define.values().chain(row.cells.values().flatten()) {
                    note(&entry, expression, &known);
                }
                if let RowsFrom::Each { keep, order, .. } = &row.from {
                    note(&entry, keep, &known);
                    note(&entry, order, &known);
                }
                for column in &block.columns {
                    if let (Some(value), false) = (&column.value, row.cells.contains_key(&column.base)) {
                        note(&format!("{entry}.columns.{}", column.id), value, &known);
                    }
                }
            }
        }
        for check in &form.checks {
            let entry = format!("checks.{}", check.id);
            note(&entry, &check.left, &[]);
            note(&entry, &check.right, &[]);
        }
        for (entry, named, known) in asked {
            for (axis, place) in &named.at {
                let axis_known = self.axes.get(axis);
                if axis_known.is_none_or(|axis| place != "*" && axis.place(place).is_none()) {
                    return Err(self.error(&entry, format!("no place `{place}` on an axis `{axis}`")));
                }
            }
            if named.slot.is_empty() && (known.contains(&named.name) || form.define.contains_key(&named.name)) {
                continue;
            }
            let Some(figure) = form.figures.iter_mut().find(|figure| figure.name == named.name) else {
                return Err(self.error(&entry, format!("no figure or definition `{}`", named.name)));
            };
            figure.ask(&named.slot).map_err(|fault| self.error(&entry, fault))?;
        }
        Ok(())
    }
}
