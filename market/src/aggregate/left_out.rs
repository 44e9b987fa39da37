//! What the aggregates leave out, and why.

/// Themes, dimensions and measures that are not kept: (theme, dimension or measure, reason). `*` = the whole theme.
pub const LEFT_OUT: [(&str, &str, &str); 6] = [
    ("T31", "*", "counts alerts, which are not facts: the alert ledger answers for them"),
    ("T38", "D.per", "the period of the report that asks: a matter of the query, not of the facts"),
    ("T23", "new_enterprises", "the first fact of an enterprise anywhere: needs the facts of all bills together"),
    ("T32", "net_flow_fen", "the tables do not say which party's area a fact leaves and which it enters"),
    ("T34", "queue_minutes", "joins two facts by queue_id across bills and the cash desk"),
    ("T36", "dup_events", "redeliveries are not accepted facts; the ingest counters show them"),
];

/// True when a dimension of a theme is not kept.
pub fn leaves_out(theme: &str, dimension: &str) -> bool {
    LEFT_OUT.iter().any(|(known, what, _)| *known == theme && (*what == "*" || *what == dimension))
}
