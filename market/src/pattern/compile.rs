//! From rules as data to rules that run.
//!
//! patterns.csv gives each pattern its family, severity and default parameters; the rules of its family say how it is judged. A
//! new pattern of a known family is one more entry there and no Rust. Compilation parses every expression once, gives equal
//! features one number, and checks that names, behaviours, roles and bucket widths exist and fit.

mod feeds;
mod tables;

use self::tables::{Row, Shared, parameters_of, read_files, read_rows, shared_parameters};

use std::collections::{BTreeMap, HashMap};

use super::{
    expression::Node,
    fold::fold,
    number::Number,
    parameters::{OnlyParameters, Parameter, Parameters},
    parser::{Names, ParseError, parse},
    rings::{MOST_EDGES, RingRule},
    rule_text::{FeatureText, RuleText, ScopeText, SideText},
    rules::{
        BillKey, BillRule, Compiled, Emit, Feature, Judged, KeyForm, KeyedRule, MAX_BUCKETS, MAX_TIMERS, MAX_WINDOWS,
        Only, PeerRule, Rule, Scope, TimerRule, TimerSide, WindowSpec, only_day_of_month,
    },
    vocabulary::{Role, Variable, Window},
    windows::{BucketWidth, FeatureIndex},
};
use crate::{
    fact::{BEHAVIOUR_CODES, Behaviour},
    ids::DAY_MS,
};

/// Why the rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// A file of rules is no JSON of the expected form.
    #[error("{file}: {source}")]
    Json {
        /// Which file.
        file: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// patterns.csv cannot be read.
    #[error("patterns.csv: {0}")]
    Csv(#[from] csv::Error),
    /// An expression cannot be parsed.
    #[error("{rule}, column `{column}`: {source}")]
    Expression {
        /// Pattern id or feature name.
        rule: String,
        /// Which entry of it.
        column: &'static str,
        /// What is wrong.
        source: ParseError,
    },
    /// Anything else that does not fit.
    #[error("{rule}, column `{column}`: {what}")]
    Entry {
        /// Pattern id or feature name.
        rule: String,
        /// Which entry of it.
        column: &'static str,
        /// What is wrong and what would be right.
        what: String,
    },
}

impl RuleError {
    /// The file at fault, where it is known.
    pub fn file(&self) -> Option<&str> {
        match self {
            RuleError::Json { file, .. } => Some(file),
            RuleError::Csv(_) => Some("patterns.csv"),
            RuleError::Expression { .. } | RuleError::Entry { .. } => None,
        }
    }
}

fn entry_error(rule: &str, column: &'static str, what: impl Into<String>) -> RuleError {
    RuleError::Entry { rule: rule.to_owned(), column, what: what.into() }
}

/// Compiles patterns.csv and the rules, given as (file, text), under the given parameters.
pub fn compile(patterns_csv: &str, files: &[(&str, &str)], overrides: &Parameters) -> Result<Compiled, RuleError> {
    let rows = read_rows(patterns_csv)?;
    let file = read_files(files)?;
    let shared = shared_parameters(&rows, &file.rules, overrides)?;
    let (features, by_name) = compile_features(&file.features, &shared)?;
    let mut rules = Vec::with_capacity(file.rules.len());
    for text in &file.rules {
        let row = rows.get(&text.id).ok_or_else(|| entry_error(&text.id, "id", "patterns.csv has no such pattern"))?;
        rules.push(compile_rule(text, row, &shared, overrides, (&by_name, &features))?);
    }
    for (place, rule) in rules.iter().enumerate() {
        if rules[..place].iter().any(|other: &Rule| other.id == rule.id) {
            return Err(entry_error(&rule.id, "id", "the rule stands twice"));
        }
    }
    if rules.iter().filter(|rule| matches!(rule.scope, Scope::Timer(_))).count() > MAX_TIMERS {
        return Err(entry_error("rules", "scope", format!("there are more than {MAX_TIMERS} timers")));
    }
    for (name, place) in &by_name {
        let reads = |rule: &Rule| match &rule.scope {
            Scope::Keyed(keyed) if !keyed.collective => {
                let read = keyed.windows.iter().map(|window| window.feature).chain(keyed.trigger.iter().copied());
                read.into_iter().any(|feature| usize::from(feature.0) == *place)
            }
            _ => false,
        };
        if features[*place].added_up
            && let Some(rule) = rules.iter().find(|rule| reads(rule))
        {
            let what = format!("`{name}` is added up for rules that compare keys: `scope` must be peer");
            return Err(entry_error(&rule.id, "windows", what));
        }
    }
    let name_of = |place: usize| {
        let names = by_name.iter().filter(|(_, at)| **at == place).map(|(name, _)| name.clone());
        names.min().unwrap_or_default()
    };
    let feature_names = (0..features.len()).map(name_of).collect();
    Ok(Compiled { rules: rules.into(), features: features.into(), feature_names, feature_places: by_name })
}

fn behaviours(rule: &str, column: &'static str, codes: &[String]) -> Result<Vec<Behaviour>, RuleError> {
    if codes == ["*"] {
        return Ok((0..BEHAVIOUR_CODES.len()).map(|place| Behaviour(place as u16)).collect());
    }
    let mut found = Vec::new();
    for code in codes {
        match Behaviour::parse(code) {
            Some(behaviour) => found.push(behaviour),
            None => return Err(entry_error(rule, column, format!("`{code}` is no behaviour of behaviours.csv"))),
        }
    }
    Ok(found)
}

fn compile_features(
    texts: &BTreeMap<String, FeatureText>,
    shared: &Shared,
) -> Result<(Vec<Feature>, HashMap<String, usize>), RuleError> {
    let names = Names { parameters: &shared.names, windows: &[] };
    // Equal features share a number. They are compared before parameters have values, so that no value changes a number.
    let mut features: Vec<Feature> = Vec::new();
    let mut by_name = HashMap::new();
    for (name, text) in texts {
        let node = |column, text: &Option<String>| match text {
            Some(text) => expression(name, column, text, names).map(Some),
            None => Ok(None),
        };
        let mut emits = Vec::new();
        for emit in &text.emit {
            if emit.key.is_empty() || emit.key.len() > 2 {
                return Err(entry_error(name, "key", "expected one or two expressions"));
            }
            if emit.any_effect && emit.on.is_none() {
                return Err(entry_error(name, "any_effect", "a stock has no facts: name behaviours in `on`"));
            }
            let key = emit.key.iter().map(|part| expression(name, "key", part, names));
            let emit = Emit {
                on: feeds::feeding(name, emit.on.as_deref().unwrap_or_default())?,
                any_effect: emit.any_effect,
                condition: node("if", &emit.condition)?,
                key: key.collect::<Result<_, _>>()?,
                member: node("member", &emit.member)?,
                amount: node("amount", &emit.amount)?,
                from: node("from", &emit.from)?,
                each_surety: emit.each_surety,
            };
            feeds::check_of_book(name, &emit, text.by_arrival)?;
            emits.push(emit);
        }
        let width = match text.bucket_ms {
            Some(width) if width > 0 => BucketWidth::Millis(width),
            Some(_) => return Err(entry_error(name, "bucket_ms", "expected a number above 0")),
            None => BucketWidth::Day,
        };
        let feature = Feature { emits, width, by_arrival: text.by_arrival, added_up: text.added_up };
        let place = features.iter().position(|known| *known == feature).unwrap_or_else(|| {
            features.push(feature);
            features.len() - 1
        });
        by_name.insert(name.clone(), place);
    }
    for emit in features.iter_mut().flat_map(|feature| &mut feature.emits) {
        let under = |node: Node| fold(node, &shared.values);
        emit.condition = emit.condition.take().map(under);
        emit.key = std::mem::take(&mut emit.key).into_iter().map(under).collect();
        emit.member = emit.member.take().map(under);
        emit.amount = emit.amount.take().map(under);
        emit.from = emit.from.take().map(under);
    }
    Ok((features, by_name))
}

fn expression(rule: &str, column: &'static str, text: &str, names: Names<'_>) -> Result<Node, RuleError> {
    parse(text, names).map_err(|source| RuleError::Expression { rule: rule.to_owned(), column, source })
}

/// An expression of a rule, under its parameters.
fn rule_expression(
    text: &RuleText,
    column: &'static str,
    condition: &str,
    names: Names<'_>,
    parameters: &[Number],
) -> Result<Node, RuleError> {
    Ok(fold(expression(&text.id, column, condition, names)?, parameters))
}

fn compile_rule(
    text: &RuleText,
    row: &Row,
    shared: &Shared,
    overrides: &Parameters,
    (by_name, features): (&HashMap<String, usize>, &[Feature]),
) -> Result<Rule, RuleError> {
    let parameters = parameters_of(text, row, overrides)?;
    if let Some(name) = overrides.unknown(&text.id, &parameters) {
        return Err(entry_error(&text.id, "parameters", format!("the pattern has no parameter `{name}`")));
    }
    let parameter_rows = parameters.iter().map(Parameter::row).collect();
    let (parameter_names, parameters): (Vec<String>, Vec<Number>) =
        parameters.into_iter().map(|parameter| (parameter.name, parameter.value)).unzip();
    let window_names: Vec<String> = text.windows.iter().map(|window| window.name.clone()).collect();
    // Own names come first, so that they win.
    let all_names: Vec<String> = parameter_names.iter().chain(&shared.names).cloned().collect();
    let all_values: Vec<Number> = parameters.iter().chain(&shared.values).copied().collect();
    let names = Names { parameters: &all_names, windows: &window_names };
    let node = |column, text_of: &Option<String>| match text_of {
        Some(condition) => rule_expression(text, column, condition, names, &all_values).map(Some),
        None => Ok(None),
    };
    let when = node("when", &text.when)?;
    let warn = node("warn", &text.warn)?;
    let needed = |column, node: Option<Node>| node.ok_or_else(|| entry_error(&text.id, column, "is missing"));
    let conditions: Vec<&Node> = when.iter().chain(&warn).collect();
    let keyed = |nodes: &[&Node]| keyed_rule(text, names, &all_values, by_name, features, nodes);
    let scope = match text.scope {
        ScopeText::Bill => Scope::Bill(BillRule {
            on: behaviours(&text.id, "on", &text.on)?,
            any_effect: text.any_effect,
            for_each: text.for_each.iter().map(|role| named_role(&text.id, role)).collect::<Result<_, _>>()?,
            key: bill_key(text)?,
            only: when.as_ref().filter(|_| warn.is_none()).map_or(Only::Any, Only::of),
        }),
        ScopeText::Keyed => Scope::Keyed(keyed(&conditions)?),
        ScopeText::Peer => {
            let group = text.group.iter().map(|part| rule_expression(text, "group", part, names, &all_values));
            let group: Vec<Node> = group.collect::<Result<_, _>>()?;
            let metric = needed("metric", node("metric", &text.metric)?)?;
            let eligible = needed("eligible", node("eligible", &text.eligible)?)?;
            let nodes: Vec<&Node> = conditions.into_iter().chain(&group).chain([&metric, &eligible]).collect();
            Scope::Peer(PeerRule { keyed: keyed(&nodes)?, metric, group, eligible, everyone: text.everyone })
        }
        ScopeText::Timer => Scope::Timer(TimerRule {
            start: side(text, "start", &text.start, names, &all_values)?,
            answers: side(text, "answers", &text.answers, names, &all_values)?,
            early_answers: text.early_answers,
            limit: needed("limit", node("limit", &text.limit)?)?,
            limit_time: node("limit_time", &text.limit_time)?,
            key: bill_key(text)?,
        }),
        ScopeText::Orphan => Scope::Orphan,
    };
    if when.is_none() && !matches!(scope, Scope::Timer(_) | Scope::Orphan) {
        return Err(entry_error(&text.id, "when", "is missing"));
    }
    let (id, family) = (text.id.clone(), row.family.clone());
    Ok(Rule { id, family, level: row.level, parameter_rows, parameters, when, warn, scope })
}

fn side(
    text: &RuleText,
    column: &'static str,
    side: &Option<SideText>,
    names: Names<'_>,
    parameters: &[Number],
) -> Result<TimerSide, RuleError> {
    let side = side.as_ref().ok_or_else(|| entry_error(&text.id, column, "is missing"))?;
    let condition =
        side.condition.as_ref().map(|condition| rule_expression(text, column, condition, names, parameters));
    Ok(TimerSide { on: behaviours(&text.id, column, &side.on)?, condition: condition.transpose()? })
}

fn named_role(rule: &str, name: &str) -> Result<Role, RuleError> {
    Role::parse(name).ok_or_else(|| entry_error(rule, "key", format!("`{name}` is no role")))
}

fn bill_key(text: &RuleText) -> Result<BillKey, RuleError> {
    Ok(match text.key.as_deref() {
        None | Some("bill") => BillKey::Bill,
        Some("event") => BillKey::Event,
        Some("deal") => BillKey::Deal,
        Some(pair) if pair.contains(',') => {
            let (left, right) = pair.split_once(',').unwrap_or((pair, pair));
            BillKey::Pair(named_role(&text.id, left)?, named_role(&text.id, right)?)
        }
        Some(role) => BillKey::Party(named_role(&text.id, role)?),
    })
}

fn keyed_rule(
    text: &RuleText,
    names: Names<'_>,
    parameters: &[Number],
    by_name: &HashMap<String, usize>,
    features: &[Feature],
    nodes: &[&Node],
) -> Result<KeyedRule, RuleError> {
    let feature = |column, name: &String| {
        let place = by_name.get(name).copied();
        place.ok_or_else(|| entry_error(&text.id, column, format!("there is no feature `{name}`")))
    };
    let constant = |column, value: &Option<String>| -> Result<Option<i64>, RuleError> {
        let Some(value) = value else { return Ok(None) };
        let node = expression(&text.id, column, value, names)?;
        let number = node.value(&OnlyParameters(parameters));
        let whole = number.and_then(Number::as_whole).and_then(|whole| i64::try_from(whole).ok());
        whole.map(Some).ok_or_else(|| entry_error(&text.id, column, "must be a whole number of buckets"))
    };
    let edge = |day: &Option<String>| -> Result<Option<Node>, RuleError> {
        let Some(day) = day else { return Ok(None) };
        let names = Names { windows: &[], ..names };
        rule_expression(text, "windows", day, names, parameters).map(Some)
    };
    let mut windows = Vec::new();
    for window in &text.windows {
        let length = constant("windows", &window.length)?;
        let before = constant("windows", &window.before)?.unwrap_or(0);
        if !(1..=MAX_BUCKETS).contains(&length.unwrap_or(1)) || !(0..=MAX_BUCKETS).contains(&before) {
            let what = format!("window `{}`: use 1 to {MAX_BUCKETS} buckets, and 0 or more before it", window.name);
            return Err(entry_error(&text.id, "windows", what));
        }
        let feature = FeatureIndex(feature("windows", &window.feature)? as u16);
        windows.push(WindowSpec { feature, length, before, from: edge(&window.from)?, to: edge(&window.to)? });
    }
    if windows.len() > MAX_WINDOWS {
        return Err(entry_error(&text.id, "windows", format!("a rule has at most {MAX_WINDOWS} windows")));
    }
    let mut trigger = Vec::new();
    for name in &text.trigger {
        trigger.push(FeatureIndex(feature("trigger", name)? as u16));
    }
    let widths: Vec<BucketWidth> = windows
        .iter()
        .map(|window| window.feature)
        .chain(trigger.iter().copied())
        .map(|index| features[usize::from(index.0)].width)
        .collect();
    let width = *widths.first().ok_or_else(|| entry_error(&text.id, "trigger", "is missing"))?;
    if trigger.is_empty() || widths.iter().any(|other| *other != width) {
        return Err(entry_error(&text.id, "trigger", "a rule needs a trigger, and features of one bucket width"));
    }
    let key = match text.key.as_deref() {
        None | Some("party") => KeyForm::Party,
        Some("pair") => KeyForm::Pair,
        Some("branch") => KeyForm::Branch,
        Some("events") => KeyForm::Events,
        Some("market") => KeyForm::Market,
        Some("source") => KeyForm::Source,
        Some("member") => KeyForm::Member,
        Some("party_and_member") => KeyForm::PartyAndMember,
        Some("edge") => KeyForm::Edge,
        Some("ring") => KeyForm::Ring,
        Some(other) => {
            let known = "party, pair, branch, events, market, source, member, party_and_member, edge, ring";
            return Err(entry_error(&text.id, "key", format!("`{other}`: expected {known}")));
        }
    };
    let each = match &text.each {
        None => None,
        Some(name) => {
            let place = text.windows.iter().position(|window| window.name == *name);
            Some(place.ok_or_else(|| entry_error(&text.id, "each", format!("the rule has no window `{name}`")))?)
        }
    };
    if each.is_none() && matches!(key, KeyForm::Member | KeyForm::PartyAndMember | KeyForm::Edge | KeyForm::Ring) {
        return Err(entry_error(&text.id, "each", "is missing: the key names a member"));
    }
    let (mut collective, mut reads_reference, mut rings) = (false, false, None);
    for node in nodes {
        node.walk(&mut |node| {
            collective |= matches!(node, Node::Window(Window::Triangle | Window::ValueRings, ..));
            if let Node::Window(Window::ValueRings, window, arguments) = node {
                rings = Some(ring_rule(*window, arguments));
            }
            reads_reference |= matches!(node, Node::Variable(Variable::Attribute(..)));
            reads_reference |= matches!(node, Node::Lookup(..));
        });
    }
    let rings = rings.map(|rings| {
        let what = format!("`value_rings` needs constants, and at most {MOST_EDGES} edges");
        rings.ok_or_else(|| entry_error(&text.id, "when", what))
    });
    let rings = rings.transpose()?;
    if rings.is_none() && key == KeyForm::Ring {
        return Err(entry_error(&text.id, "key", "`ring` is for conditions that ask for `value_rings`"));
    }
    let judged = text.judged.unwrap_or(Judged::AtFact);
    let delay = constant("delay", &text.delay)?.unwrap_or(0);
    if delay < 0 || (delay > 0 && matches!(judged, Judged::AtFact | Judged::EachDay)) {
        return Err(entry_error(&text.id, "delay", "is for rules that are judged at the end of a period, 0 or more"));
    }
    if width != BucketWidth::Day && judged != Judged::AtFact {
        return Err(entry_error(&text.id, "judged", "periods are made of days: its features need buckets of a day"));
    }
    let asks_other_days = nodes.iter().any(|node| {
        let mut found = false;
        node.walk(&mut |node| found |= matches!(node, Node::Window(Window::DailyMedian, ..)));
        found
    });
    if asks_other_days && matches!(width, BucketWidth::Millis(width) if DAY_MS % width != 0) {
        return Err(entry_error(&text.id, "windows", "`daily_median` needs buckets that divide a day"));
    }
    // Several conditions would have to agree on the day.
    let day_of_month = match nodes {
        [when] if judged == Judged::EachDay => only_day_of_month(when),
        _ => None,
    };
    Ok(KeyedRule {
        windows,
        trigger,
        judged,
        delay,
        key,
        each,
        width,
        collective,
        rings,
        reads_reference,
        day_of_month,
    })
}

fn ring_rule(window: usize, arguments: &[Node]) -> Option<RingRule> {
    let constant = |place: usize| match arguments.get(place) {
        Some(Node::Constant(number)) => Some(*number),
        _ => None,
    };
    let most = constant(2)?.as_whole().filter(|most| (0..=MOST_EDGES).contains(most))?;
    Some(RingRule { window, least: constant(0)?, balance: constant(1)?, most: most as usize })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{PATTERNS_CSV, RULE_FILES, rules::index_of, vocabulary::Derived};

    #[test]
    fn the_embedded_rules_compile_and_share_features() {
        let compiled =
            compile(PATTERNS_CSV, &RULE_FILES, &Parameters::default()).unwrap_or_else(|error| panic!("{error}"));
        assert!(compiled.rules.len() >= 80, "{}", compiled.rules.len());
        assert!(compiled.features.len() < 150, "each costs every fact that it reads: {}", compiled.features.len());
    }

    fn walk_all<'a>(nodes: impl IntoIterator<Item = &'a Node>, accept: impl Fn(&Node) -> bool, of: &str) {
        for node in nodes {
            node.walk(&mut |node| assert!(accept(node), "{of}: {node:?} has no value in its scope"));
        }
    }

    fn is_word_of_a_key(node: &Node) -> bool {
        let of_key = |role: &Role| matches!(role, Role::Key | Role::OtherKey | Role::Member);
        match node {
            Node::Variable(Variable::Party(role) | Variable::Attribute(role, _)) => of_key(role),
            Node::Variable(variable) => {
                matches!(variable, Variable::Derived(Derived::Date | Derived::MemberNumber | Derived::MinuteOfDay))
            }
            Node::History(..) => false,
            _ => true,
        }
    }

    fn is_word_of_a_fact(node: &Node) -> bool {
        let elsewhere = |derived: &Derived| derived.text().starts_with("lot_") || *derived == Derived::MemberNumber;
        match node {
            Node::Variable(Variable::Derived(derived)) => !elsewhere(derived),
            Node::Variable(Variable::Party(role) | Variable::Attribute(role, _)) => {
                !matches!(role, Role::OtherKey | Role::Member)
            }
            Node::Window(..) | Node::Peer(..) | Node::Streak(..) => false,
            _ => true,
        }
    }

    #[test]
    fn rules_use_only_words_of_their_scope() {
        let compiled = compile(PATTERNS_CSV, &RULE_FILES, &Parameters::default()).unwrap();
        for rule in compiled.rules.iter() {
            let conditions = rule.when.iter().chain(&rule.warn);
            match &rule.scope {
                Scope::Keyed(_) | Scope::Peer(_) => walk_all(rule.judged_by(), is_word_of_a_key, &rule.id),
                Scope::Timer(timer) => {
                    let sides = timer.start.condition.iter().chain(&timer.answers.condition);
                    let limits = std::iter::once(&timer.limit).chain(&timer.limit_time);
                    walk_all(conditions.chain(sides).chain(limits), is_word_of_a_fact, &rule.id);
                }
                Scope::Bill(_) | Scope::Orphan => walk_all(conditions, is_word_of_a_fact, &rule.id),
            }
        }
        for (feature, name) in compiled.features.iter().zip(compiled.feature_names.iter()) {
            for emit in &feature.emits {
                let nodes = emit.condition.iter().chain(&emit.key).chain(&emit.member).chain(&emit.amount);
                let is_stock = emit.on.is_empty();
                let accept = |node: &Node| {
                    let of_lot = matches!(node, Node::Variable(Variable::Derived(derived)) if derived.text().starts_with("lot_"));
                    (is_stock && of_lot) || is_word_of_a_fact(node)
                };
                walk_all(nodes.chain(&emit.from), accept, name);
            }
        }
    }

    #[test]
    fn errors_name_pattern_column_and_place() {
        let error = |rules: &str| match compile(PATTERNS_CSV, &[("rules.json", rules)], &Parameters::default()) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("compiles"),
        };
        let rule = |rest: &str| format!(r#"{{"rules": [{{"id": "P001", "scope": "bill", {rest}}}]}}"#);
        assert_eq!(
            error(&rule(r#""when": "amount_fen >= mincny""#)),
            "P001, column `when`: at character 14: `mincny` is no known name or parameter"
        );
        assert_eq!(
            error(&rule(r#""on": ["DSC.XXX"]"#)),
            "P001, column `on`: `DSC.XXX` is no behaviour of behaviours.csv"
        );
        assert_eq!(error(&rule(r#""on": []"#)), "P001, column `when`: is missing");
        let fed = |emit: &str| format!(r#"{{"features": {{"lines": {{"emit": [{emit}]}}}}}}"#);
        for emit in [
            r#"{"on": ["book_line"], "key": ["holder"]}"#,
            r#"{"on": ["book_line"], "key": ["holder_id"], "if": "holder.province == 330000"}"#,
            r#"{"on": ["book_end"], "key": ["holder_id"], "if": "watch_listed(holder_id)"}"#,
        ] {
            assert!(error(&fed(emit)).starts_with("lines, column `emit`: a record of a book"), "{}", error(&fed(emit)));
        }
        let mixed = r#"{"on": ["book_line", "DSC.SET"], "key": ["holder_id"]}"#;
        assert_eq!(error(&fed(mixed)), "lines, column `on`: `book_line` is no behaviour of behaviours.csv");
        assert!(error(r#"{"rules": [{"id": "P999", "scope": "bill"}]}"#).contains("no such pattern"));
        assert!(error("{").starts_with("rules.json: "));
    }

    #[test]
    fn changed_parameters_reach_the_rule_and_unknown_ones_are_refused() {
        let mut parameters = Parameters::default();
        parameters.set("P048", "limit", "0.2").unwrap();
        let compiled = compile(PATTERNS_CSV, &RULE_FILES, &parameters).unwrap();
        let rule = &compiled.rules[usize::from(index_of(&compiled.rules, "P048").unwrap().0)];
        let place = rule.parameter_rows.iter().position(|row| row.name == "limit").unwrap();
        assert_eq!(rule.parameters[place], Number::ratio(1, 5).unwrap());
        parameters.set("P048", "limt", "0.2").unwrap();
        assert!(compile(PATTERNS_CSV, &RULE_FILES, &parameters).is_err());
    }
}
