//! Which reference data a rule needs, and whether it can find anything while some of them are empty.
//!
//! Every word of a rule that reads reference data names a [`Source`]. A rule is *blind* when its condition cannot be true as
//! long as the empty ones of its sources stay empty: worked out by asking which truths the condition can take when a word
//! over an empty source has no value, or the one value that it has when nothing is known (`watch_listed` is false then,
//! `trade_weight` 1). So a rule that reads an empty list only to leave somebody out is not blind.

use std::collections::BTreeSet;

use super::super::{
    PatternIndex, Patterns, Registry,
    adapter::MarketRegistry,
    expression::{Node, Operator},
    number::Number,
    parameters::OnlyParameters,
    rules::{Emit, Rule, Scope},
    sight::Moment,
    vocabulary::{Derived, History, Lookup, Pure, Series, Variable, number_text},
};
use crate::{
    fact::{Behaviour, FIELD_NAMES, Field, behaviour},
    ids::{Code, Day, PartyId},
    reference_data::Held,
};

/// A kind of reference data that a word of a rule reads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Source {
    /// A field of master or financial data of parties.
    Attribute(Field),
    /// One of the registers.
    Register(Held),
    /// A rate of REF.DEP.
    Rate(Code),
}

impl Source {
    /// For programs: `total_assets_fen`, `watch_lists`, `rate_RK07`.
    pub fn code(self) -> String {
        match self {
            Source::Attribute(field) => FIELD_NAMES[field as usize].to_owned(),
            Source::Register(held) => held.code().to_owned(),
            Source::Rate(kind) => format!("rate_{kind}"),
        }
    }

    /// Nothing is known at the market clock.
    fn is_empty(self, registry: &MarketRegistry<'_>, clock: i64) -> bool {
        let reference = registry.reference;
        let moment = Moment { at: clock, date: Day::of_time(clock) };
        match self {
            Source::Attribute(field) => {
                let knows = |party: PartyId| registry.attribute(party, None, field, moment).is_some();
                // Figures are told of few; there may be a hundred thousand registered.
                !reference.reporting().any(knows) && (is_figure(field) || !reference.registered().any(knows))
            }
            Source::Register(held) => !reference.holds(held, clock),
            Source::Rate(kind) => registry.reference_rate_e4(kind, 0, moment).is_none(),
        }
    }
}

/// Fields of balance sheets and financials (MST.FIN, MST.ENF): no master data has them.
fn is_figure(field: Field) -> bool {
    matches!(
        field,
        Field::TotalAssetsFen
            | Field::DepositsFen
            | Field::MarginFen
            | Field::NetCapitalFen
            | Field::LiquidAssetsFen
            | Field::InterbankDepositFen
            | Field::NetAssetsFen
            | Field::Revenue12mFen
            | Field::VatInvoiced12mFen
            | Field::ReportDate
            | Field::FinancialsDate
    )
}

/// What a node may be while some sources are empty.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Possible {
    /// Its only value.
    only: Option<Number>,
    /// It can be true.
    holds: bool,
    /// It can be false.
    fails: bool,
}

/// Anything.
const ANY: Possible = Possible { only: None, holds: true, fails: true };
/// No value at all.
const MISSING: Possible = Possible { only: None, holds: false, fails: false };

impl Possible {
    fn just(number: Number) -> Self {
        Possible { only: Some(number), holds: number.is_true(), fails: !number.is_true() }
    }

    fn is_missing(self) -> bool {
        !self.holds && !self.fails
    }
}

/// Asks what nodes may be. `empty`: the sources without content.
struct Blindfold<'a> {
    empty: &'a BTreeSet<Source>,
}

impl Blindfold<'_> {
    fn of(&self, node: &Node) -> Possible {
        if let Some((source, value)) = source_of(node)
            && self.empty.contains(&source)
        {
            return value.map_or(MISSING, Possible::just);
        }
        match node {
            Node::Constant(number) => Possible::just(*number),
            Node::Not(inner) => {
                let inner = self.of(inner);
                let only = inner.only.map(|number| (!number.is_true()).into());
                Possible { only, holds: inner.fails, fails: inner.holds }
            }
            Node::And(left, right) => {
                let (left, right) = (self.of(left), self.of(right));
                Possible { only: None, holds: left.holds && right.holds, fails: left.fails || right.fails }
            }
            Node::Or(left, right) => {
                let (left, right) = (self.of(left), self.of(right));
                Possible { only: None, holds: left.holds || right.holds, fails: left.fails && right.fails }
            }
            Node::Binary(operator, left, right) => self.binary(*operator, left, right),
            Node::Choose(condition, yes, no) => {
                let condition = self.of(condition);
                let (yes, no) = (self.of(yes), self.of(no));
                let any = |of: fn(&Possible) -> bool| (condition.holds && of(&yes)) || (condition.fails && of(&no));
                Possible { only: None, holds: any(|it| it.holds), fails: any(|it| it.fails) }
            }
            Node::Pure(Pure::Present, arguments) => match arguments.first() {
                Some(argument) if self.of(argument).is_missing() => Possible::just(Number::ZERO),
                _ => ANY,
            },
            Node::Streak(_, condition) => self.of(condition),
            // Days without a value are passed over, and conditions that are missing do not hold.
            Node::Series(Series::CountOf | Series::Streak, ..) => ANY,
            Node::Negate(inner) | Node::In(inner, _) => self.all(std::slice::from_ref(&**inner)),
            Node::Pure(_, arguments)
            | Node::Window(_, _, arguments)
            | Node::History(_, _, arguments)
            | Node::Lookup(_, arguments)
            | Node::Peer(_, arguments)
            | Node::Series(_, _, arguments) => self.all(arguments),
            Node::Variable(_) | Node::Parameter(_) => ANY,
        }
    }

    /// Something that has no value when one of these has none.
    fn all(&self, nodes: &[Node]) -> Possible {
        if nodes.iter().any(|node| self.of(node).is_missing()) { MISSING } else { ANY }
    }

    fn binary(&self, operator: Operator, left: &Node, right: &Node) -> Possible {
        let (left, right) = (self.of(left), self.of(right));
        if left.is_missing() || right.is_missing() {
            return MISSING;
        }
        let Some((left, right)) = left.only.zip(right.only) else { return ANY };
        let constant = |number| Box::new(Node::Constant(number));
        let node = Node::Binary(operator, constant(left), constant(right));
        node.value(&OnlyParameters(&[])).map_or(MISSING, Possible::just)
    }

    fn may_hold(&self, condition: Option<&Node>) -> bool {
        condition.is_none_or(|condition| self.of(condition).holds)
    }

    fn may_feed(&self, emit: &Emit) -> bool {
        let nodes = emit.key.iter().chain(&emit.member).chain(&emit.amount).chain(&emit.from);
        self.may_hold(emit.condition.as_ref()) && nodes.into_iter().all(|node| !self.of(node).is_missing())
    }

    fn may_find(&self, rule: &Rule, patterns: &Patterns) -> bool {
        let finds = match (&rule.when, &rule.warn) {
            (None, None) => true,
            (when, warn) => when.iter().chain(warn).any(|condition| self.of(condition).holds),
        };
        let may_feed = |keyed: &super::super::rules::KeyedRule| {
            let emits =
                |feature: &super::super::FeatureIndex| &patterns.compiled.features[usize::from(feature.0)].emits;
            keyed.trigger.iter().flat_map(emits).any(|emit| self.may_feed(emit))
        };
        finds
            && match &rule.scope {
                Scope::Bill(_) | Scope::Orphan => true,
                Scope::Keyed(keyed) => may_feed(keyed),
                Scope::Peer(peer) => {
                    may_feed(&peer.keyed)
                        && self.of(&peer.eligible).holds
                        && !self.of(&peer.metric).is_missing()
                        && !self.all(&peer.group).is_missing()
                }
                Scope::Timer(timer) => {
                    self.may_hold(timer.start.condition.as_ref()) && !self.of(&timer.limit).is_missing()
                }
            }
    }
}

/// The source that a word reads, and what it says when nothing is known: `None` = no value.
fn source_of(node: &Node) -> Option<(Source, Option<Number>)> {
    let register = |held| Some((Source::Register(held), None));
    let register_or = |held, number: i128| Some((Source::Register(held), Some(Number::whole(number))));
    match node {
        Node::Variable(Variable::Attribute(_, field)) => Some((Source::Attribute(*field), None)),
        Node::Variable(Variable::Derived(Derived::CurveE4)) => register(Held::Curves),
        Node::Variable(Variable::Derived(Derived::BankCurveE4)) => register(Held::BankCurve),
        Node::Variable(Variable::Derived(Derived::AcceptorBankProvince)) => register(Held::Institutions),
        Node::Variable(Variable::Derived(Derived::AcceptorAccountAge)) => register(Held::Accounts),
        Node::Lookup(function, arguments) => match function {
            Lookup::Related => register(Held::Parties),
            Lookup::Known => register_or(Held::Parties, 0),
            Lookup::TradeWeight => Some((Source::Attribute(Field::IndustrySection), Some(Number::whole(1)))),
            Lookup::WatchListed => register_or(Held::WatchLists, 0),
            Lookup::HasFlag => register_or(Held::SpecialFlags, 0),
            Lookup::DisclosureDay => register_or(Held::notice(behaviour_in(arguments.get(1)?)?)?, 0),
            Lookup::DisclosedMonth => register_or(Held::CreditDisclosures, 0),
            Lookup::BackgroundFen => register(Held::TradeBackgrounds),
            Lookup::Sharing => register(Held::Enterprises),
            Lookup::LookalikeProvince => register_or(Held::Enterprises, 0),
            Lookup::Tier | Lookup::HeadOffice => register(Held::Institutions),
            Lookup::ReferenceRate => match arguments.first()? {
                Node::Constant(kind) => Some((Source::Rate(Code::parse(&number_text(*kind)?)?), None)),
                _ => None,
            },
            Lookup::CreditLineFen => register(Held::CreditLines),
            Lookup::IsEnterprise | Lookup::BusinessDay | Lookup::IsBusinessDay | Lookup::BusinessDays => None,
        },
        Node::History(History::NameDistance, ..) => register(Held::Parties),
        Node::History(History::TraderActive, ..) => register_or(Held::Traders, 0),
        Node::History(History::AgainstTradeRun, ..) => {
            Some((Source::Attribute(Field::IndustrySection), Some(Number::ZERO)))
        }
        Node::History(History::Provinces, ..) => Some((Source::Attribute(Field::Province), Some(Number::ZERO))),
        Node::History(History::ShellRun, ..) => register_or(Held::Enterprises, 0),
        _ => None,
    }
}

fn behaviour_in(node: &Node) -> Option<Behaviour> {
    match node {
        Node::Constant(code) => Behaviour::parse(&number_text(*code)?),
        _ => None,
    }
}

/// Calls `each` for the expressions of a rule, and of the features that make it due.
fn expressions(rule: &Rule, patterns: &Patterns, each: &mut impl FnMut(&Node)) {
    rule.when.iter().chain(&rule.warn).for_each(&mut *each);
    match &rule.scope {
        Scope::Timer(timer) => timer.start.condition.iter().chain([&timer.limit]).for_each(&mut *each),
        Scope::Peer(peer) => peer.group.iter().chain([&peer.metric, &peer.eligible]).for_each(&mut *each),
        _ => {}
    }
    for feature in super::super::keyed_of(rule).map_or(&[][..], |keyed| &keyed.trigger) {
        for emit in &patterns.compiled.features[usize::from(feature.0)].emits {
            emit.condition
                .iter()
                .chain(&emit.key)
                .chain(&emit.member)
                .chain(&emit.amount)
                .chain(&emit.from)
                .for_each(&mut *each);
        }
    }
}

/// The sources of a rule, in order.
fn sources(rule: &Rule, patterns: &Patterns) -> BTreeSet<Source> {
    let mut sources = BTreeSet::new();
    expressions(rule, patterns, &mut |node| {
        node.walk(&mut |node| sources.extend(source_of(node).map(|(source, _)| source)));
    });
    sources
}

/// Names of the kinds of reference data that a rule reads, in order.
pub fn source_names(patterns: &Patterns, pattern: PatternIndex) -> Vec<String> {
    sources(patterns.rule(pattern), patterns).into_iter().map(Source::code).collect()
}

/// Rules that can find nothing because of empty reference data, each with its empty sources.
pub fn blind_rules(patterns: &Patterns, registry: &MarketRegistry<'_>, clock: i64) -> Vec<(PatternIndex, Vec<String>)> {
    let of_rules: Vec<BTreeSet<Source>> = patterns.compiled.rules.iter().map(|rule| sources(rule, patterns)).collect();
    let all: BTreeSet<Source> = of_rules.iter().flatten().copied().collect();
    let empty: BTreeSet<Source> = all.into_iter().filter(|source| source.is_empty(registry, clock)).collect();
    let mut blind = Vec::new();
    for (place, (rule, sources)) in patterns.compiled.rules.iter().zip(&of_rules).enumerate() {
        let missing: Vec<String> = sources.intersection(&empty).map(|source| source.code()).collect();
        if !missing.is_empty() && !(Blindfold { empty: &empty }).may_find(rule, patterns) {
            blind.push((PatternIndex(place as u16), missing));
        }
    }
    blind
}

impl Held {
    /// The register of a notice about an acceptor.
    fn notice(kind: Behaviour) -> Option<Held> {
        Some(match kind {
            behaviour::DIS_REG => Held::Registrations,
            behaviour::DIS_ANN => Held::Announcements,
            behaviour::DIS_SUS => Held::Suspensions,
            behaviour::DIS_RST => Held::Restorations,
            behaviour::DIS_PSL => Held::PersistentlyOverdue,
            _ => return None,
        })
    }
}
