//! A page about one thing of the catalogue: a title and sections, written as Markdown for people or as JSON for programs.

use std::{borrow::Cow, fmt::Write as _};

use serde_json::{Value, json};

/// What stands under a heading.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// Running text.
    Text(String),
    /// Names and what they say.
    Entries(Vec<(String, String)>),
    /// Rows under column names.
    Table {
        /// Column names.
        columns: Vec<String>,
        /// One cell a column.
        rows: Vec<Vec<String>>,
    },
    /// Text to be kept as it is, with its language for colouring.
    Code(&'static str, String),
}

/// Headings and what stands under them.
pub type Sections = Vec<(Cow<'static, str>, Body)>;

/// A page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// What it is about: `pattern`, `behaviour`, ...
    pub kind: &'static str,
    /// Its code or id.
    pub code: String,
    /// Name.
    pub english: String,
    /// 名称.
    pub chinese: String,
    /// Heading and body, in order. An empty heading goes on with what stands before.
    pub sections: Sections,
}

impl Page {
    /// A page with a title alone.
    pub fn new(kind: &'static str, code: &str, english: &str, chinese: &str) -> Self {
        let (code, english, chinese) = (code.to_owned(), english.to_owned(), chinese.to_owned());
        Page { kind, code, english, chinese, sections: Vec::new() }
    }

    /// Adds a section, unless it says nothing.
    pub fn add(&mut self, heading: impl Into<Cow<'static, str>>, body: Body) {
        let empty = match &body {
            Body::Text(text) | Body::Code(_, text) => text.is_empty(),
            Body::Entries(entries) => entries.is_empty(),
            Body::Table { rows, .. } => rows.is_empty(),
        };
        if !empty {
            self.sections.push((heading.into(), body));
        }
    }

    /// The page as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("# {} {}", self.code, self.english);
        if !self.chinese.is_empty() {
            text.push(' ');
            text.push_str(&self.chinese);
        }
        text.push('\n');
        for (heading, body) in &self.sections {
            text.push('\n');
            if !heading.is_empty() {
                // Writing to a String does not fail.
                let _ = write!(text, "## {heading}\n\n");
            }
            body.markdown(&mut text);
        }
        text
    }

    /// The page as JSON: its title, and its sections in order.
    pub fn json(&self) -> Value {
        let section = |(heading, body): &(Cow<'static, str>, Body)| json!({"heading": heading, "content": body.json()});
        let sections: Vec<Value> = self.sections.iter().map(section).collect();
        json!({
            "kind": self.kind,
            "code": self.code,
            "english": self.english,
            "chinese": self.chinese,
            "sections": sections,
        })
    }
}

impl Body {
    /// Rows under these column names.
    pub fn table(columns: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Self {
        Body::Table {
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            rows: rows.into_iter().collect(),
        }
    }

    fn markdown(&self, text: &mut String) {
        match self {
            Body::Text(words) => {
                text.push_str(words);
                text.push('\n');
            }
            Body::Entries(entries) => {
                for (name, value) in entries {
                    let _ = writeln!(text, "- **{name}**: {}", one_line(value));
                }
            }
            Body::Table { columns, rows } => {
                let _ = writeln!(text, "| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len()));
                for row in rows {
                    let cells: Vec<String> = row.iter().map(|cell| one_line(cell).replace('|', "\\|")).collect();
                    let _ = writeln!(text, "| {} |", cells.join(" | "));
                }
            }
            Body::Code(language, code) => {
                let _ = writeln!(text, "```{language}\n{}\n```", code.trim_end());
            }
        }
    }

    fn json(&self) -> Value {
        match self {
            Body::Text(words) => json!(words),
            Body::Entries(entries) => {
                Value::Object(entries.iter().map(|(name, value)| (name.clone(), json!(value))).collect())
            }
            Body::Table { columns, rows } => {
                let object = |row: &Vec<String>| {
                    let cells = columns.iter().zip(row).map(|(column, cell)| (column.clone(), json!(cell)));
                    Value::Object(cells.collect())
                };
                Value::Array(rows.iter().map(object).collect())
            }
            // JSON code is given as what it says.
            Body::Code(_, code) => serde_json::from_str(code).unwrap_or_else(|_| json!(code)),
        }
    }
}

fn one_line(text: &str) -> String {
    text.split('\n').map(str::trim).collect::<Vec<_>>().join(" ")
}
