//! Parser of rule expressions (CEL syntax: names, numbers, 'codes', `+ - * /`, comparisons, `&& || !`, `?:`, `in [..]`, calls).
//!
//! Runs once, when rules are loaded. Names that are parameters or windows of the rule win over the words of `vocabulary`.
//! An error says what stands where; the caller adds pattern id and column.

use std::fmt;

use super::{
    expression::{Node, Operator},
    number::Number,
    vocabulary::{History, Lookup, Peer, Pure, Series, Step, Variable, Window, field_named, text_number},
};
use crate::{fact::Behaviour, ids::Day};

/// An expression that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("at character {at}: {what}")]
pub struct ParseError {
    /// 0-based.
    pub at: usize,
    /// What is wrong and what would be right.
    pub what: String,
}

/// Names that a rule brings with it.
#[derive(Clone, Copy, Default)]
pub struct Names<'a> {
    /// Parameters, in order.
    pub parameters: &'a [String],
    /// Windows, in order.
    pub windows: &'a [String],
}

/// Parses one expression.
pub fn parse(text: &str, names: Names<'_>) -> Result<Node, ParseError> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, end: text.len(), names };
    let node = parser.choice()?;
    match parser.peek() {
        None => Ok(node),
        Some(token) => Err(parser.error(format!("did not expect `{token}`"))),
    }
}

/// `for_days(n, condition)`: the condition is asked on several days, so it is no argument like others.
const STREAK: &str = "for_days";

#[derive(Clone, PartialEq, Debug)]
enum Token {
    Name(String),
    Number(Number),
    Text(String),
    Sign(&'static str),
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Name(name) => f.write_str(name),
            Token::Number(number) => write!(f, "{number:?}"),
            Token::Text(text) => write!(f, "'{text}'"),
            Token::Sign(sign) => f.write_str(sign),
        }
    }
}

const SIGNS: [&str; 20] =
    ["&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "!", "?", ":", "(", ")", "[", "]", ","];

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, ParseError> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let run = |accept: fn(char) -> bool| rest.find(|c| !accept(c)).unwrap_or(rest.len());
        if first.is_ascii_whitespace() {
            at += 1;
        } else if first.is_ascii_digit() {
            let length = run(|c| c.is_ascii_digit() || c == '.');
            let number = Number::parse(&rest[..length]);
            let number =
                number.ok_or_else(|| ParseError { at, what: format!("`{}` is no number", &rest[..length]) })?;
            found.push((at, Token::Number(number)));
            at += length;
        } else if first.is_ascii_alphabetic() {
            let length = run(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
            found.push((at, Token::Name(rest[..length].to_owned())));
            at += length;
        } else if first == '\'' {
            let length = rest[1..].find('\'').ok_or(ParseError { at, what: "text without closing '".to_owned() })?;
            found.push((at, Token::Text(rest[1..=length].to_owned())));
            at += length + 2;
        } else {
            let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
            let sign = sign.ok_or_else(|| ParseError { at, what: format!("`{first}` has no meaning here") })?;
            found.push((at, Token::Sign(sign)));
            at += sign.len();
        }
    }
    Ok(found)
}

struct Parser<'a> {
    tokens: Vec<(usize, Token)>,
    at: usize,
    end: usize,
    names: Names<'a>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    fn error(&self, what: String) -> ParseError {
        ParseError { at: self.tokens.get(self.at).map_or(self.end, |(at, _)| *at), what }
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(known)) if *known == sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), ParseError> {
        if self.take(sign) { Ok(()) } else { Err(self.error(format!("expected `{sign}`"))) }
    }

    fn choice(&mut self) -> Result<Node, ParseError> {
        let condition = self.or()?;
        if !self.take("?") {
            return Ok(condition);
        }
        let yes = self.choice()?;
        self.expect(":")?;
        let no = self.choice()?;
        Ok(Node::Choose(condition.into(), yes.into(), no.into()))
    }

    fn or(&mut self) -> Result<Node, ParseError> {
        let mut left = self.and()?;
        while self.take("||") {
            left = Node::Or(left.into(), self.and()?.into());
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Node, ParseError> {
        let mut left = self.comparison()?;
        while self.take("&&") {
            left = Node::And(left.into(), self.comparison()?.into());
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Result<Node, ParseError> {
        const COMPARISONS: [(&str, Operator); 6] = [
            ("==", Operator::Equal),
            ("!=", Operator::Unequal),
            ("<=", Operator::LessOrEqual),
            (">=", Operator::GreaterOrEqual),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ];
        let left = self.sum()?;
        if self.peek() == Some(&Token::Name("in".to_owned())) {
            self.at += 1;
            self.expect("[")?;
            return Ok(Node::In(left.into(), self.list("]")?));
        }
        for (sign, operator) in COMPARISONS {
            if self.take(sign) {
                return Ok(Node::Binary(operator, left.into(), self.sum()?.into()));
            }
        }
        Ok(left)
    }

    fn sum(&mut self) -> Result<Node, ParseError> {
        let mut left = self.product()?;
        loop {
            let operator = match () {
                () if self.take("+") => Operator::Plus,
                () if self.take("-") => Operator::Minus,
                () => return Ok(left),
            };
            left = Node::Binary(operator, left.into(), self.product()?.into());
        }
    }

    fn product(&mut self) -> Result<Node, ParseError> {
        let mut left = self.unary()?;
        loop {
            let operator = match () {
                () if self.take("*") => Operator::Times,
                () if self.take("/") => Operator::Over,
                () => return Ok(left),
            };
            left = Node::Binary(operator, left.into(), self.unary()?.into());
        }
    }

    fn unary(&mut self) -> Result<Node, ParseError> {
        if self.take("!") {
            return Ok(Node::Not(self.unary()?.into()));
        }
        if self.take("-") {
            return Ok(Node::Negate(self.unary()?.into()));
        }
        self.leaf()
    }

    fn leaf(&mut self) -> Result<Node, ParseError> {
        if self.take("(") {
            let inner = self.choice()?;
            self.expect(")")?;
            return Ok(inner);
        }
        let token = self.peek().cloned().ok_or_else(|| self.error("the expression ends too early".to_owned()))?;
        match token {
            Token::Number(number) => {
                self.at += 1;
                Ok(Node::Constant(number))
            }
            Token::Text(text) => {
                self.at += 1;
                self.literal(&text)
            }
            Token::Name(name) => self.named(&name),
            Token::Sign(sign) => Err(self.error(format!("did not expect `{sign}`"))),
        }
    }

    /// `'2023-01-01'` is a day, everything else a code.
    fn literal(&self, text: &str) -> Result<Node, ParseError> {
        if let Some(day) = Day::parse(text) {
            return Ok(Node::Constant(i64::from(day.0).into()));
        }
        if text.is_empty() || text.len() > 16 {
            return Err(self.error(format!("'{text}' is neither a date nor a text of 1-16 bytes")));
        }
        Ok(Node::Constant(text_number(text)))
    }

    fn named(&mut self, name: &str) -> Result<Node, ParseError> {
        let is_call = matches!(self.tokens.get(self.at + 1), Some((_, Token::Sign("("))));
        if !is_call {
            if let Some(place) = self.names.parameters.iter().position(|known| known == name) {
                self.at += 1;
                return Ok(Node::Parameter(place));
            }
            let variable = Variable::parse(name);
            let variable = variable.ok_or_else(|| self.error(format!("`{name}` is no known name or parameter")))?;
            self.at += 1;
            return Ok(Node::Variable(variable));
        }
        let start = self.at;
        self.at += 2;
        if name == STREAK {
            let days = self.choice()?;
            self.expect(",")?;
            let condition = self.choice()?;
            self.expect(")")?;
            return Ok(Node::Streak(days.into(), condition.into()));
        }
        if let Some(function) = Pure::parse(name) {
            let arguments = self.arguments(start, name, function.arity())?;
            return Ok(Node::Pure(function, arguments));
        }
        if let Some(function) = Lookup::parse(name) {
            let arguments = self.arguments(start, name, function.arity())?;
            return Ok(Node::Lookup(function, arguments));
        }
        if let Some(function) = Peer::parse(name) {
            let arguments = self.arguments(start, name, function.arity())?;
            return Ok(Node::Peer(function, arguments));
        }
        if let Some(function) = Window::parse(name) {
            let window = self.window_name()?;
            self.take(",");
            if !function.reads_two() {
                let arguments = self.arguments(start, name, function.arity())?;
                return Ok(Node::Window(function, window, arguments));
            }
            let mut both = vec![Node::Constant(Number::whole(self.window_name()? as i128))];
            let (least, most) = function.arity();
            self.take(",");
            both.extend(self.arguments(start, name, (least - 1, most - 1))?);
            return Ok(Node::Window(function, window, both));
        }
        if let Some(function) = Series::parse(name) {
            let step = self.step()?;
            let arguments = self.arguments(start, name, function.arity())?;
            return Ok(Node::Series(function, step, arguments));
        }
        if let Some(function) = History::parse(name) {
            if matches!(function, History::Mentions | History::NameDistance | History::TraderActive) {
                let field = self.field_name()?;
                self.expect(",")?;
                let second = self.choice()?;
                self.expect(")")?;
                return Ok(Node::History(function, Vec::new(), vec![field, second]));
            }
            let behaviours = self.behaviours();
            let arguments = self.arguments(start, name, function.arity())?;
            return Ok(Node::History(function, behaviours, arguments));
        }
        self.at = start;
        Err(self.error(format!("`{name}` is no known function")))
    }

    /// A field by its place in the list of fields.
    fn field_name(&mut self) -> Result<Node, ParseError> {
        let found = match self.peek() {
            Some(Token::Name(name)) => field_named(name),
            _ => None,
        };
        let field = found.ok_or_else(|| self.error("expected the name of a field of fields.csv".to_owned()))?;
        self.at += 1;
        Ok(Node::Constant(Number::whole(field as i128)))
    }

    fn window_name(&mut self) -> Result<usize, ParseError> {
        let found = match self.peek() {
            Some(Token::Name(name)) => self.names.windows.iter().position(|known| known == name),
            _ => None,
        };
        let place = found.ok_or_else(|| self.error("expected the name of a window of this rule".to_owned()))?;
        self.at += 1;
        Ok(place)
    }

    /// How the days of a series lie apart: `'month',`.
    fn step(&mut self) -> Result<Step, ParseError> {
        let found = match self.peek() {
            Some(Token::Text(text)) => Step::parse(text),
            _ => None,
        };
        let names: Vec<&str> = Step::ALL.iter().map(|step| step.text()).collect();
        let step = found.ok_or_else(|| self.error(format!("expected one of '{}'", names.join("', '"))))?;
        self.at += 1;
        self.expect(",")?;
        Ok(step)
    }

    /// Leading texts that are behaviours, such as `'PAY.REJ', 'PAY.FLD'`.
    fn behaviours(&mut self) -> Vec<Behaviour> {
        let mut found = Vec::new();
        while let Some(Token::Text(text)) = self.peek() {
            let Some(behaviour) = Behaviour::parse(text) else { break };
            found.push(behaviour);
            self.at += 1;
            self.take(",");
        }
        found
    }

    fn arguments(&mut self, start: usize, name: &str, arity: (usize, usize)) -> Result<Vec<Node>, ParseError> {
        let arguments = self.list(")")?;
        if (arity.0..=arity.1).contains(&arguments.len()) {
            return Ok(arguments);
        }
        self.at = start;
        Err(self.error(format!("`{name}` takes {} to {} arguments, not {}", arity.0, arity.1, arguments.len())))
    }

    fn list(&mut self, close: &str) -> Result<Vec<Node>, ParseError> {
        let mut items = Vec::new();
        if self.take(close) {
            return Ok(items);
        }
        loop {
            items.push(self.choice()?);
            if self.take(close) {
                return Ok(items);
            }
            self.expect(",")?;
        }
    }
}
