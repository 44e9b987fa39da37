//! A record in the making: fields are put in one by one, in the order of their numbers, from any door.
//!
//! Owns the assembly of records and the choice of the one fault that a refusal names: what the record is comes first
//! (behaviour, source, control), then forms and types by field number, then what is missing, then bounds and relations.
//! Both doors (`ndjson`, `columns`) go through here, so they refuse alike.

use crate::{
    catalogue::Catalogue,
    fact::{
        Behaviour, Control, ControlKind, CorrectionKind, EventId, Fact, Field, Range, Record, Source, Stamp, Value,
    },
    ids::{BillId, Day},
    raw_value::{self, Raw, typed, wrong_type},
    refusal::{Fault, Refusal, RefusalCode},
    validate::{self, Sent},
};

/// What `control` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ControlWord {
    Watermark,
    Idle,
    Resume,
    BookLine,
    BookEnd,
}

/// A record in the making.
#[derive(Default, Debug)]
pub(crate) struct Draft {
    event_id: Option<EventId>,
    behaviour: Option<Behaviour>,
    event_time: Option<i64>,
    biz_date: Option<Day>,
    source: Option<Source>,
    source_text: Option<String>,
    source_seq: Option<u64>,
    ingest_time: Option<i64>,
    correction: Option<CorrectionKind>,
    target: Option<EventId>,
    bill_id: Option<BillId>,
    start: Option<u64>,
    end: Option<u64>,
    control: Option<ControlWord>,
    fields: Vec<(Field, Value)>,
    /// The fault to name: the first of the lowest rank.
    fault: Option<Box<Fault>>,
}

impl Draft {
    /// A draft with room for so many fields.
    pub fn with_capacity(fields: usize) -> Self {
        Draft { fields: Vec::with_capacity(fields), ..Draft::default() }
    }

    /// Notes a fault.
    #[cold]
    pub fn blame(&mut self, fault: Box<Fault>) {
        if self.fault.as_ref().is_none_or(|known| fault.rank() < known.rank()) {
            self.fault = Some(fault);
        }
    }

    /// Notes a name that is no field.
    #[cold]
    pub fn blame_name(&mut self, name: &str, value: &str) {
        let name = crate::refusal::cut(name.to_owned());
        let remedy = "remove the field, or send it under a name of fields.csv";
        self.blame(Fault::of_name(RefusalCode::UnknownField, name, value, remedy));
    }

    /// Puts a value in. Fields come in ascending order, each once.
    pub fn put(&mut self, field: Field, raw: Raw, catalogue: &Catalogue) {
        if let Err(fault) = self.try_put(field, raw, catalogue) {
            self.blame(fault);
        }
    }

    fn try_put(&mut self, field: Field, raw: Raw, catalogue: &Catalogue) -> Result<(), Box<Fault>> {
        match field {
            Field::EventId => self.event_id = Some(raw_value::id(field, &raw)?),
            Field::Behaviour => {
                let behaviour = word(&raw).and_then(|code| catalogue.behaviour(code));
                self.behaviour = Some(behaviour.ok_or_else(|| {
                    Fault::of(RefusalCode::UnknownBehaviour, field, &raw, "send a code of behaviours.csv")
                })?);
            }
            Field::EventTime => self.event_time = Some(raw_value::integer(field, &raw)?),
            Field::BizDate => self.biz_date = Some(raw_value::date(field, &raw)?),
            Field::Source => {
                let source = word(&raw).and_then(Source::parse);
                if source.is_none() {
                    self.source_text = Some(raw.to_string());
                }
                self.source = Some(source.ok_or_else(|| {
                    Fault::of(RefusalCode::UnknownSource, field, &raw, "send a code of enumeration source_system")
                })?);
            }
            Field::SourceSeq => self.source_seq = Some(raw_value::unsigned(field, &raw)?),
            Field::IngestTime => self.ingest_time = Some(raw_value::integer(field, &raw)?),
            Field::Correction => {
                self.correction = Some(match word(&raw) {
                    Some("revoke") => CorrectionKind::Revoke,
                    Some("replace") => CorrectionKind::Replace,
                    _ => {
                        let remedy = "send revoke or replace";
                        return Err(Fault::of(RefusalCode::CorrectionForm, field, &raw, remedy));
                    }
                });
            }
            Field::CorrectsEventId => self.target = Some(raw_value::id(field, &raw)?),
            Field::BillId => self.bill_id = Some(raw_value::bill(field, &raw)?),
            Field::SubStart => self.start = Some(position(field, &raw)?),
            Field::SubEnd => self.end = Some(position(field, &raw)?),
            Field::Control => {
                self.control = Some(match word(&raw) {
                    Some("watermark") => ControlWord::Watermark,
                    Some("idle") => ControlWord::Idle,
                    Some("resume") => ControlWord::Resume,
                    Some("book_line") => ControlWord::BookLine,
                    Some("book_end") => ControlWord::BookEnd,
                    _ => {
                        let remedy = "send watermark, idle, resume, book_line or book_end";
                        return Err(Fault::of(RefusalCode::UnknownControl, field, &raw, remedy));
                    }
                });
            }
            _ => self.fields.push((field, typed(catalogue.fields.get(field), raw)?)),
        }
        Ok(())
    }

    /// The record, checked, or its refusal.
    pub fn finish(mut self, catalogue: &Catalogue) -> Result<Record, Box<Refusal>> {
        let source = self.source_text.take().or_else(|| self.source.map(|source| source.code().to_owned()));
        let (source_seq, event_id) = (self.source_seq, self.event_id);
        self.assemble(catalogue).map_err(|fault| fault.refuse(source, source_seq, event_id))
    }

    fn assemble(mut self, catalogue: &Catalogue) -> Result<Record, Box<Fault>> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        match self.control {
            Some(_) if self.behaviour.is_some() => {
                let remedy = "a control record has no behaviour: send two records";
                Err(Fault::beside(RefusalCode::ControlForm, Field::Control.name(), remedy))
            }
            Some(word) => {
                let control = self.control(word)?;
                validate::check_control(&control, catalogue)?;
                Ok(Record::Control(control))
            }
            None => {
                let sent = Sent {
                    ingest_time: self.ingest_time.is_some(),
                    start: self.start.is_some(),
                    end: self.end.is_some(),
                };
                let fact = self.fact()?;
                validate::check_fact(&fact, sent, catalogue)?;
                Ok(Record::Fact(fact))
            }
        }
    }

    fn fact(self) -> Result<Fact, Box<Fault>> {
        let missing = |field| move || Fault::missing(field);
        let event_id = self.event_id.ok_or_else(missing(Field::EventId))?;
        let behaviour = self.behaviour.ok_or_else(missing(Field::Behaviour))?;
        let event_time = self.event_time.ok_or_else(missing(Field::EventTime))?;
        let biz_date = self.biz_date.ok_or_else(missing(Field::BizDate))?;
        let source = self.source.ok_or_else(missing(Field::Source))?;
        let source_seq = self.source_seq.ok_or_else(missing(Field::SourceSeq))?;
        let correction = match (self.correction, self.target) {
            (Some(kind), Some(target)) => Some((kind, target)),
            (None, None) => None,
            (Some(_), None) => return Err(alone(Field::Correction, "send corrects_event_id with it")),
            (None, Some(_)) => return Err(alone(Field::CorrectsEventId, "send correction with it")),
        };
        let range = match (self.start, self.end) {
            (Some(start), Some(end)) => Range { start, end },
            // What one half alone means is decided by the check: it knows whether the behaviour wants a range.
            _ => Range::WHOLE,
        };
        Ok(Fact {
            event_id,
            behaviour,
            event_time,
            biz_date,
            source,
            source_seq,
            // The replay rule of facts.md section 6; at first ingestion the coordinator stamps its own.
            stamp: Stamp { ingest_time: self.ingest_time.unwrap_or(event_time), source_watermark: i64::MIN },
            bill_id: self.bill_id,
            range,
            range_given: self.start.is_some() && self.end.is_some(),
            correction,
            fields: self.fields,
        })
    }

    fn control(self, word: ControlWord) -> Result<Control, Box<Fault>> {
        let missing = |field| move || Fault::missing(field);
        let source = self.source.ok_or_else(missing(Field::Source))?;
        let source_seq = self.source_seq.ok_or_else(missing(Field::SourceSeq))?;
        let value = |field: Field| {
            let at = self.fields.binary_search_by_key(&field, |(known, _)| *known);
            at.map(|at| &self.fields[at].1).map_err(|_| Fault::missing(field))
        };
        let integer = |field| match value(field)? {
            Value::Int(value) => Ok(*value),
            _ => Err(Fault::missing(field)),
        };
        let holder = || match value(Field::HolderId)? {
            Value::Party(holder) => Ok(*holder),
            _ => Err(Fault::missing(Field::HolderId)),
        };
        let date = || match value(Field::BookDate)? {
            Value::Date(date) => Ok(*date),
            _ => Err(Fault::missing(Field::BookDate)),
        };
        let kind = match word {
            ControlWord::Watermark => ControlKind::Watermark(integer(Field::WatermarkTime)?),
            ControlWord::Idle => ControlKind::Idle,
            ControlWord::Resume => ControlKind::Resume,
            ControlWord::BookLine => ControlKind::BookLine {
                bill_id: self.bill_id.ok_or_else(missing(Field::BillId))?,
                range: Range {
                    start: self.start.ok_or_else(missing(Field::SubStart))?,
                    end: self.end.ok_or_else(missing(Field::SubEnd))?,
                },
                amount_fen: integer(Field::AmountFen)?,
                date: date()?,
                holder: holder()?,
            },
            ControlWord::BookEnd => ControlKind::BookEnd {
                date: date()?,
                line_count: integer(Field::LineCount)?,
                total_fen: integer(Field::BookTotalFen)?,
                holder: holder()?,
            },
        };
        Ok(Control { source, source_seq, kind })
    }
}

fn word<'r>(raw: &'r Raw) -> Option<&'r str> {
    match raw {
        Raw::Text(text) => Some(text),
        _ => None,
    }
}

fn alone(field: Field, remedy: &'static str) -> Box<Fault> {
    Fault::beside(RefusalCode::CorrectionForm, field.name(), remedy)
}

/// A position in a package: the bound of the table is tested by the check, the sign here.
fn position(field: Field, raw: &Raw) -> Result<u64, Box<Fault>> {
    raw_value::unsigned(field, raw).map_err(|_| wrong_type(field, raw, "send an integer from 0 to 999999999999"))
}
