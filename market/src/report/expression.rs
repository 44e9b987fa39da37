//! Expressions of report definitions: text once, a tree ever after.
//!
//! ```text
//! expression = product { ("+" | "-") product }
//! product    = sign { ("*" | "/") sign }
//! sign       = [ "-" ] value
//! value      = number | "(" expression ")" | FUNCTION "(" expression { "," expression } ")"
//!            | NAME [ "." SLOT ] [ "[" AXIS "=" PLACE { "," AXIS "=" PLACE } "]" ] [ "@" SHIFT ]
//!            | "{" [ REPORT [ "@" SHIFT ] ":" ] BLOCK "/" ROWS "/" COLUMNS "}"
//! ```
//!
//! NAME is a figure, or what the row or the report defines under this name. In `{}` stand printed cells: rows and columns
//! are ids, several between `,` (their sum), or `*` (all that are not totals).

use super::period::Shift;

/// A tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expression {
    /// A whole number.
    Number(i128),
    /// A figure, or a definition of the row or report.
    Name(Named),
    /// Cells of this report or of another one.
    Cells(CellRange),
    /// `+ - * /`.
    Binary(char, Box<Expression>, Box<Expression>),
    /// A function.
    Call(Function, Vec<Expression>),
}

/// A name with where and when it is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    /// Figure or definition.
    pub name: String,
    /// Which of its sums or sets; empty = its main sum.
    pub slot: String,
    /// Other places on axes; `*` = the whole axis.
    pub at: Vec<(String, String)>,
    /// Which dates.
    pub shift: Shift,
}

/// Printed cells, added up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CellRange {
    /// Another report; empty = this one.
    pub report: String,
    /// Its period, seen from here.
    pub shift: Shift,
    /// Block.
    pub block: String,
    /// Rows.
    pub rows: Vec<String>,
    /// Columns.
    pub columns: Vec<String>,
}

/// Functions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Function {
    /// Smallest value of a set.
    Min,
    /// Largest value of a set.
    Max,
    /// Percentile of a set by weight, lower interpolation: `p(SET, 50)`.
    Percentile,
    /// Percentile of a set by number.
    PercentileByNumber,
    /// Share of the n largest members: `cr(SET, 5)`.
    Concentration,
    /// Sum of squared shares.
    Herfindahl,
    /// The n largest members with their shares, as text.
    Largest,
    /// Without sign.
    Absolute,
    /// 1 when the first is larger, else 0; nothing when one is nothing.
    Greater,
    /// The first, or 0 when it is nothing.
    OrZero,
    /// A text about the party of the row: `about(name)`.
    About,
    /// The weights of all members of a set, added up.
    Weight,
    /// A figure by the axis `party`, added up over the parties of a set: `sum_over(SET, FIGURE)`.
    SumOver,
    /// How many members of a set are in no other one: `without(SET, SET)`.
    Without,
}

impl Function {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "min" => Function::Min,
            "max" => Function::Max,
            "p" => Function::Percentile,
            "pn" => Function::PercentileByNumber,
            "cr" => Function::Concentration,
            "hhi" => Function::Herfindahl,
            "largest" => Function::Largest,
            "abs" => Function::Absolute,
            "greater" => Function::Greater,
            "or_zero" => Function::OrZero,
            "about" => Function::About,
            "weight" => Function::Weight,
            "sum_over" => Function::SumOver,
            "without" => Function::Without,
            _ => return None,
        })
    }

    fn arguments(self) -> usize {
        match self {
            Function::Percentile
            | Function::PercentileByNumber
            | Function::Concentration
            | Function::Largest
            | Function::SumOver
            | Function::Without
            | Function::Greater => 2,
            _ => 1,
        }
    }
}

impl Expression {
    /// Reads an expression; the error says what was expected, and where.
    pub fn parse(text: &str) -> Result<Expression, String> {
        let mut parser = Parser { rest: text };
        let tree = parser.sum()?;
        parser.blank();
        if parser.rest.is_empty() { Ok(tree) } else { Err(parser.expected("an operator or the end")) }
    }

    /// Calls with every name in it.
    pub fn each_name(&self, take: &mut dyn FnMut(&Named)) {
        match self {
            Expression::Name(named) => take(named),
            Expression::Binary(_, left, right) => {
                left.each_name(take);
                right.each_name(take);
            }
            Expression::Call(Function::About, _) | Expression::Number(_) | Expression::Cells(_) => {}
            Expression::Call(_, arguments) => arguments.iter().for_each(|argument| argument.each_name(take)),
        }
    }

    /// Calls with every range of cells in it.
    pub fn each_range(&self, take: &mut dyn FnMut(&CellRange)) {
        match self {
            Expression::Cells(range) => take(range),
            Expression::Binary(_, left, right) => {
                left.each_range(take);
                right.each_range(take);
            }
            Expression::Call(_, arguments) => arguments.iter().for_each(|argument| argument.each_range(take)),
            Expression::Number(_) | Expression::Name(_) => {}
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

impl<'a> Parser<'a> {
    fn blank(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn expected(&self, what: &str) -> String {
        let found = if self.rest.is_empty() { "the end" } else { self.rest };
        format!("expected {what}, found `{found}`")
    }

    fn take(&mut self, sign: char) -> bool {
        self.blank();
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn need(&mut self, sign: char) -> Result<(), String> {
        if self.take(sign) { Ok(()) } else { Err(self.expected(&format!("`{sign}`"))) }
    }

    fn word(&mut self, what: &str, fits: impl Fn(char) -> bool) -> Result<&'a str, String> {
        self.blank();
        let end = self.rest.find(|letter| !fits(letter)).unwrap_or(self.rest.len());
        if end == 0 {
            return Err(self.expected(what));
        }
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(word)
    }

    fn sum(&mut self) -> Result<Expression, String> {
        let mut left = self.product()?;
        loop {
            let sign = if self.take('+') {
                '+'
            } else if self.take('-') {
                '-'
            } else {
                return Ok(left);
            };
            left = Expression::Binary(sign, Box::new(left), Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Result<Expression, String> {
        let mut left = self.sign()?;
        loop {
            let sign = if self.take('*') {
                '*'
            } else if self.take('/') {
                '/'
            } else {
                return Ok(left);
            };
            left = Expression::Binary(sign, Box::new(left), Box::new(self.sign()?));
        }
    }

    fn sign(&mut self) -> Result<Expression, String> {
        if self.take('-') {
            let value = self.sign()?;
            return Ok(Expression::Binary('-', Box::new(Expression::Number(0)), Box::new(value)));
        }
        if self.take('(') {
            let inner = self.sum()?;
            self.need(')')?;
            return Ok(inner);
        }
        if self.take('{') {
            return self.cells();
        }
        if self.rest.starts_with(|letter: char| letter.is_ascii_digit()) {
            let digits = self.word("a number", |letter| letter.is_ascii_digit())?;
            return digits.parse().map(Expression::Number).map_err(|_| format!("`{digits}` is too large"));
        }
        let name = self.word("a number, a name, `(` or `{`", is_word)?;
        if self.rest.starts_with('(') {
            return self.call(name);
        }
        let mut named = Named { name: name.to_owned(), slot: String::new(), at: Vec::new(), shift: Shift::Now };
        if self.rest.starts_with('.') {
            self.need('.')?;
            named.slot = self.word("a slot", is_word)?.to_owned();
        }
        if self.take('[') {
            loop {
                let axis = self.word("an axis", is_word)?.to_owned();
                self.need('=')?;
                let place =
                    self.word("a place", |letter| is_word(letter) || letter == '*' || letter == '-')?.to_owned();
                named.at.push((axis, place));
                if !self.take(',') {
                    break;
                }
            }
            self.need(']')?;
        }
        named.shift = self.shift()?;
        Ok(Expression::Name(named))
    }

    fn shift(&mut self) -> Result<Shift, String> {
        if !self.take('@') {
            return Ok(Shift::Now);
        }
        let word = self.word("a shift", is_word)?;
        Shift::parse(word).ok_or_else(|| format!("no shift `@{word}`"))
    }

    fn call(&mut self, name: &str) -> Result<Expression, String> {
        let function = Function::parse(name).ok_or_else(|| format!("no function `{name}`"))?;
        self.need('(')?;
        let mut arguments = vec![self.sum()?];
        while self.take(',') {
            arguments.push(self.sum()?);
        }
        self.need(')')?;
        if arguments.len() != function.arguments() {
            return Err(format!("`{name}` takes {} arguments", function.arguments()));
        }
        Ok(Expression::Call(function, arguments))
    }

    fn cells(&mut self) -> Result<Expression, String> {
        let fits = |letter: char| is_word(letter) || matches!(letter, '.' | '*' | '$' | '-');
        let mut report = String::new();
        let mut shift = Shift::Now;
        let mut block = self.word("a block or a report", fits)?.to_owned();
        let after = self.shift()?;
        if self.take(':') {
            report = block;
            shift = after;
            block = self.word("a block", fits)?.to_owned();
        } else if after != Shift::Now {
            return Err("a shift stands behind a report".to_owned());
        }
        let list = |parser: &mut Self| -> Result<Vec<String>, String> {
            parser.need('/')?;
            let mut ids = vec![parser.word("an id", fits)?.to_owned()];
            while parser.take(',') {
                ids.push(parser.word("an id", fits)?.to_owned());
            }
            Ok(ids)
        };
        let rows = list(self)?;
        let columns = list(self)?;
        self.need('}')?;
        Ok(Expression::Cells(CellRange { report, shift, block, rows, columns }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_become_trees() {
        let tree = Expression::parse("acc.face[kind=CAB]@prev / (2 + x) - 1").unwrap();
        let mut names = Vec::new();
        tree.each_name(&mut |named| names.push(named.clone()));
        assert_eq!(names[0].slot, "face");
        assert_eq!(names[0].at, [("kind".to_owned(), "CAB".to_owned())]);
        assert_eq!(names[0].shift, Shift::Previous);
        assert_eq!(names[1].name, "x");
        let Expression::Binary('-', left, _) = tree else { panic!("{tree:?}") };
        assert!(matches!(*left, Expression::Binary('/', ..)));
    }

    #[test]
    fn cells_of_other_reports() {
        let tree = Expression::parse("{R08@prev:main/6/amount.TOTAL} + {main/1,2/*}").unwrap();
        let mut ranges = Vec::new();
        tree.each_range(&mut |range| ranges.push(range.clone()));
        assert_eq!((&*ranges[0].report, ranges[0].shift, &*ranges[0].rows[0]), ("R08", Shift::Previous, "6"));
        assert_eq!((&*ranges[1].report, ranges[1].rows.len(), &*ranges[1].columns[0]), ("", 2, "*"));
    }

    #[test]
    fn faults_are_named() {
        for (text, words) in [
            ("acc +", "expected a number"),
            ("acc@soon", "no shift `@soon`"),
            ("mean(acc)", "no function `mean`"),
            ("cr(acc.drawers)", "takes 2 arguments"),
            ("{main/1}", "expected `/`"),
            ("(acc", "expected `)`"),
            ("acc dsc", "expected an operator"),
        ] {
            let error = Expression::parse(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
