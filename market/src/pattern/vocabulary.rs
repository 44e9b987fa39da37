//! The words that rules may use: variables, roles and functions, by the names of the domain tables.
//!
//! One place says what exists. `sight` gives bill-scope words their value, `judge` those of keyed rules. A word that a scope
//! does not know has no value there, so a rule that uses it is skipped; the test `rules_use_only_words_of_their_scope` in
//! `compile` finds such a slip.

use crate::{
    fact::{FIELD_NAMES, FIELDS, Field},
    ids::Code,
};

use super::number::Number;

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal $(/ $arity:expr)?,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// All, in order.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// As written in rules.
            pub const fn text(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }

            /// The word of a text.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.text() == text)
            }
        }

        words!(@arity $name $($variant $($arity)?,)*);
    };
    (@arity $name:ident $($variant:ident $arity:expr,)+) => {
        impl $name {
            /// How many arguments it takes (least, most), not counting a window's name or behaviours.
            pub const fn arity(self) -> (usize, usize) {
                match self { $($name::$variant => $arity,)* }
            }
        }
    };
    (@arity $name:ident $($variant:ident,)+) => {};
}

words! {
    /// A party by its part in the fact, the bill or the key.
    Role {
        /// drawer_id of the bill header.
        Drawer = "drawer",
        /// acceptor_id of the bill header.
        Acceptor = "acceptor",
        /// payee_id of the bill header.
        Payee = "payee",
        /// Sender of the fact.
        Initiator = "initiator",
        /// Other side of the fact.
        Counterparty = "counterparty",
        /// role.endorser
        Endorser = "endorser",
        /// role.endorsee
        Endorsee = "endorsee",
        /// role.applicant of a discount
        Applicant = "applicant",
        /// role.discounter
        Discounter = "discounter",
        /// role.seller
        Seller = "seller",
        /// role.buyer
        Buyer = "buyer",
        /// role.repo_seller; of a lot (stock scope): who must redeem it.
        RepoSeller = "repo_seller",
        /// role.repo_buyer; of a lot (stock scope): who lent against it.
        RepoBuyer = "repo_buyer",
        /// role.debtor of recourse
        Debtor = "debtor",
        /// role.creditor of recourse
        Creditor = "creditor",
        /// Holder of the lot (stock scope).
        Holder = "holder",
        /// Who took the lot in its latest discount (stock scope).
        LotDiscounter = "lot_discounter",
        /// Subject of a master-data fact: ent_id, else legal_inst_id.
        Subject = "subject",
        /// First party of the key being judged.
        Key = "key",
        /// Second party of the key being judged.
        OtherKey = "other_key",
        /// The member being judged, of a rule that asks for each (`each`).
        Member = "member",
        /// From whom the seller had the range: the holder before the one before.
        Source = "source",
        /// Who guarantees a lot (stock for each surety).
        Guarantor = "guarantor",
        /// For whom (stock for each surety).
        Guaranteed = "guaranteed",
    }
}

words! {
    /// Derived values that are neither a raw field, a party nor an attribute of a party.
    Derived {
        /// Range length in fen, or amount_fen as sent.
        Amount = "amount_fen",
        /// Business date of the fact, or the day judged.
        Date = "biz_date",
        /// ms since 1970-01-01T00:00Z.
        Time = "event_time",
        /// Minute of the fact's local day (UTC+8), 0..1439; of a judged bucket below a day, its first.
        MinuteOfDay = "minute_of_day",
        /// When the fact was accepted, ms.
        IngestTime = "ingest_time",
        /// face_fen of the bill header.
        Face = "face_fen",
        /// Margin of the acceptance, fen; 0 when there was none.
        BillMargin = "bill_margin_fen",
        /// contract_no of the fact or, where it has none, of the registration, as one number that distinguishes contracts.
        Contract = "contract",
        /// bill_kind of the header.
        Kind = "bill_kind",
        /// medium of the header.
        Medium = "medium",
        /// issue_date of the header.
        IssueDate = "issue_date",
        /// due_date of the header.
        DueDate = "due_date",
        /// bill.price_class: BCL1..BCL7.
        PriceClass = "price_class",
        /// price.days
        PriceDays = "price_days",
        /// curve_e4 at the bill's own price class and price.days.
        CurveE4 = "curve_e4",
        /// curve_e4 of class BCL1 at price.days.
        BankCurveE4 = "bank_curve_e4",
        /// interest_expected_fen
        ExpectedInterest = "interest_expected_fen",
        /// Code of the fact's behaviour: 'END.SGN'.
        Behaviour = "behaviour",
        /// First digit of a bill number of 30 digits.
        NumberDigit = "number_digit",
        /// Province of the acceptor's account bank (acceptor_inst).
        AcceptorBankProvince = "acceptor_bank_province",
        /// Days since the acceptor opened its latest account at that bank.
        AcceptorAccountAge = "acceptor_account_age",
        /// Hash of invoice_no, to be a key.
        Invoice = "invoice",
        /// Hash of device_id, to be a key.
        Device = "device",
        /// Number of the system that sent the fact, from 1 on in the order of sources, to be a key.
        SourceNumber = "source_number",
        /// Highest watermark of that system when the fact was accepted, ms.
        SourceWatermark = "source_watermark",
        /// Event id of the fact.
        EventId = "event_id",
        /// Bill id, as one number that distinguishes bills.
        BillId = "bill_id",
        /// channel of the registration.
        BillChannel = "bill_channel",
        /// The header says that the bill can be split.
        BillDivisible = "bill_divisible",
        /// The market as a party: key of what is asked once for all.
        Market = "market",
        /// Member being judged, as a number, of a rule that asks for each (`each`).
        MemberNumber = "member_number",
        /// discounter_inst as the branch of a discount.
        DiscounterBranch = "discounter_branch",
        /// field_name of a master-data change, as a code.
        ChangedField = "changed_field",
        /// Lot length in fen (stock scope).
        LotFen = "lot_fen",
        /// Part of the acceptance margin that falls to the lot, fen, half up (stock scope).
        LotMargin = "lot_margin_fen",
        /// Behaviour that gave the surety (stock for each surety): 'GUA.SGN'.
        SuretyKind = "surety_kind",
        /// What the surety covers of the lot, fen (stock for each surety).
        SuretyFen = "surety_fen",
        /// status of the lot (stock scope): 'CS03'.
        LotStatus = "lot_status",

        /// Behaviour that opened the repo-like deal of the lot (stock scope): 'RPO.SET'.
        LotRepo = "lot_repo",
        /// First day on which the lot counts as overdue, when its facts so far make it so (stock scope).
        LotOverdueFrom = "lot_overdue_from",
        /// Circulation flag of the lot (stock scope): 'TF0301'.
        LotFlag = "lot_flag",
        /// Somebody discounted the lot (stock scope).
        LotDiscounted = "lot_discounted",
        /// Cash of the first leg of the lot's open repo-like deal (stock scope).
        LotFirstFen = "lot_first_fen",
        /// Rate of the lot's open repo-like deal, percent e4 (stock scope).
        LotRepoRate = "lot_repo_rate_e4",
        /// Calendar days from the first leg of the lot's open repo-like deal to its redemption (stock scope).
        LotRepoDays = "lot_repo_days",
        /// queue_id as a number that distinguishes queues.
        QueueNumber = "queue_number",
    }
}

words! {
    /// Functions of numbers alone.
    Pure {
        /// `present(x)`: 1 when x has a value.
        Present = "present" / (1, 1),
        /// `abs(x)`
        Absolute = "abs" / (1, 1),
        /// `min(a, b, ...)`
        Least = "min" / (1, 9),
        /// `max(a, b, ...)`
        Greatest = "max" / (1, 9),
        /// `round(x)`: halves up
        Round = "round" / (1, 1),
        /// `floor(x)`: the whole number at or below
        Floor = "floor" / (1, 1),
        /// `both(a, b)`: one number that distinguishes pairs (63 bits of a hash)
        Both = "both" / (2, 2),
        /// `ln(x)`: natural logarithm at 9 decimals
        Logarithm = "ln" / (1, 1),
        /// `quarter_start(day)`
        QuarterStart = "quarter_start" / (1, 1),
        /// `binomial_tail(k, n, p)`: P(X >= k) of n tries of probability p, at 9 decimals
        BinomialTail = "binomial_tail" / (3, 3),
        /// `add_months(day, n)`
        AddMonths = "add_months" / (2, 2),
        /// `month(day)`: months since year 0.
        Month = "month" / (1, 1),
        /// `month_start(day)`: first day of its month.
        MonthStart = "month_start" / (1, 1),
        /// `code(key)`: a code that stands as part of a key.
        CodeOfKey = "code" / (1, 1),
        /// `edge(a, b)`: two parties as one member.
        Edge = "edge" / (2, 2),
        /// `remainder(x, n)`
        Remainder = "remainder" / (2, 2),
        /// `first_digit(x)`: 1..9
        FirstDigit = "first_digit" / (1, 1),
        /// `day_of_month(day)`: 1..31
        DayOfMonth = "day_of_month" / (1, 1),
        /// `quarter_end(day)`: the last calendar day of its quarter
        QuarterEnd = "quarter_end" / (1, 1),
    }
}

words! {
    /// Functions of a window of features; the first argument is the window's name.
    Window {
        /// `count(w)`: facts.
        Count = "count" / (0, 0),
        /// `sum(w)`: sum of amounts.
        Sum = "sum" / (0, 0),
        /// `distinct(w)`: members with at least one fact.
        Distinct = "distinct" / (0, 0),
        /// `largest(w)`, `largest(w, n)`: sum of the n largest member sums.
        Largest = "largest" / (0, 1),
        /// `least(w)`: smallest member sum.
        LeastSum = "least" / (0, 0),
        /// `least_count(w)`: smallest member count.
        LeastCount = "least_count" / (0, 0),
        /// `largest_member(w)`: the member with the largest sum; ties by id.
        LargestMember = "largest_member" / (0, 0),
        /// `member_count(w, m)`: facts of one member.
        MemberCount = "member_count" / (1, 1),
        /// `member_sum(w, m)`: sum of one member.
        MemberSum = "member_sum" / (1, 1),
        /// `half_sum(w, h)`: sum of the members 2n + h.
        HalfSum = "half_sum" / (1, 1),
        /// `member_mean(w, m)`: mean amount of one member.
        MemberMean = "member_mean" / (1, 1),
        /// `last_day(w, m)`: the latest bucket of the window with facts of one member.
        LastDay = "last_day" / (1, 1),
        /// `sum_days(w, from, to)`: sum of amounts in the buckets from..=to that lie in the window.
        SumDays = "sum_days" / (2, 2),
        /// `distinct_above(w, x)`: members with a mean amount above x.
        DistinctAbove = "distinct_above" / (1, 1),
        /// `sum_between(w, from, to)`: sum of members with from <= member <= to.
        SumBetween = "sum_between" / (2, 2),
        /// `count_between(w, from, to)`: facts of members with from <= member <= to.
        CountBetween = "count_between" / (2, 2),
        /// `sum_since(w, day)`: sum from a day on.
        SumSince = "sum_since" / (1, 1),
        /// `sum_grid(w, width, last, least)`: sum of members m with m / width <= last and m mod width >= least.
        SumGrid = "sum_grid" / (3, 3),
        /// `first_day(w)`: first day with facts in the window.
        FirstDay = "first_day" / (0, 0),
        /// `last_day_before(w)`: last day with facts before the window.
        LastDayBefore = "last_day_before" / (0, 0),
        /// `raised(w)`: members with a bucket that comes to more than 0: a balance rose there, even if it fell later.
        Raised = "raised" / (0, 0),
        /// `new_members(w)`: members without facts before the window.
        NewMembers = "new_members" / (0, 0),
        /// `member_quantile(w, q)`: nearest rank over the members, each as often as it has facts.
        MemberQuantile = "member_quantile" / (1, 1),
        /// `near(w, other, n)`: facts of both windows lie at most n buckets apart.
        Near = "near" / (2, 2),
        /// `largest_ratio(w, other)`: largest sum of a member over its mean amount in another window.
        LargestRatio = "largest_ratio" / (1, 1),
        /// `shared_sum(w, other)`: sum of the members that the other window has too.
        SharedSum = "shared_sum" / (1, 1),
        /// `longest_chain(w, other, gap, lo, hi)`: most links that end with a member of the judged bucket of `other`. A link leads
        /// from a member of `w` to one that comes at most gap buckets later in `other` with an amount of lo..hi times as much.
        LongestChain = "longest_chain" / (4, 4),
        /// `average_shift(w, base, n, lambda)`: how far the moving average of the members of `w` leaves the mean of the newest n
        /// facts of `base`, in standard deviations (at least 1) of such an average.
        AverageShift = "average_shift" / (3, 3),
        /// `median_shift(w, recent, n)`: distance between the median member of the newest facts and that of the n before them,
        /// whole buckets.
        MedianShift = "median_shift" / (2, 2),
        /// `entropy(w)`: Shannon entropy of the members by amount, in bits.
        Entropy = "entropy" / (0, 0),
        /// `psi(w, base, width)`: population stability index of the counts by member / width.
        Psi = "psi" / (2, 2),
        /// `first_among(w, all, n)`: a member in the judged bucket of `w` is among the first n members that `all` ever had.
        FirstAmong = "first_among" / (2, 2),
        /// `active_periods(w, n)`: how many of the n windows before the judged one have a sum.
        ActivePeriods = "active_periods" / (1, 1),
        /// `distinct_groups(w)`: groups of the members; one without a group counts as one of its own.
        DistinctGroups = "distinct_groups" / (0, 0),
        /// `log_jump(w, n, floor)`: z-score of ln(1 + sum) of the judged bucket against the n buckets before.
        LogJump = "log_jump" / (2, 2),
        /// `weekday_jump(w, n, floor)`: z-score of the judged day against the same weekday of the n business days before.
        WeekdayJump = "weekday_jump" / (2, 2),
        /// `benford(w)`: chi-square of member counts 1..9 against Benford's law.
        Benford = "benford" / (0, 0),
        /// `hhi(w)`: sum of the squares of the members' shares (Herfindahl index).
        Herfindahl = "hhi" / (0, 0),
        /// `median_member(w)`: nearest rank over the facts, each standing for its member.
        MedianMember = "median_member" / (0, 0),
        /// `sum_outside(w, other)`: sum of the members that `other` does not show.
        SumOutside = "sum_outside" / (1, 1),
        /// `mirror(w)`: of members 2n and 2n + 1, the sum of the smaller sums over the sum of the larger (Jaccard by amount).
        Mirror = "mirror" / (0, 0),
        /// `month_sum(w, n)`: sum of the calendar month n months before.
        MonthSum = "month_sum" / (1, 1),
        /// `month_share(w, m, n)`: share of the m largest members in the calendar month n months before, ppm, half up.
        MonthShare = "month_share" / (2, 2),
        /// `daily_median(w, n)`: median (nearest rank) over the n business days before of the facts in the same buckets of the day.
        DailyMedian = "daily_median" / (1, 1),
        /// `balance_at(w, day)`: sum of a stock up to the end of a day.
        BalanceAt = "balance_at" / (1, 1),
        /// `mean_balance(w, from, to)`: mean of a stock over the ends of days, fen, half up.
        MeanBalance = "mean_balance" / (2, 2),
        /// `ring(w, n)`: the member being judged, an edge, lies on a cycle of n edges of `w`.
        Ring = "ring" / (1, 1),
        /// `component(w, min_fen)`: parties that reach both ends of the judged edge and are reached, over edges from min_fen on.
        Component = "component" / (1, 1),
        /// `triangle(w, min_fen, balance)`: the judged edge closes a triangle (collective).
        Triangle = "triangle" / (2, 2),
        /// `value_rings(w, min_fen, balance, n)`: rings of three to n edges from min_fen on through the edge from the key to the
        /// judged member, the smallest sum at least `balance` times the largest (collective).
        ValueRings = "value_rings" / (3, 3),
    }
}

impl Window {
    /// It reads sums and counts of buckets only, whatever members they are made of.
    pub const fn reads_totals(self) -> bool {
        matches!(
            self,
            Window::Count
                | Window::Sum
                | Window::SumDays
                | Window::SumSince
                | Window::MonthSum
                | Window::BalanceAt
                | Window::MeanBalance
                | Window::ActivePeriods
                | Window::LogJump
                | Window::WeekdayJump
                | Window::DailyMedian
        )
    }
}

words! {
    /// Functions of the fact and of the bill's past up to and including it.
    History {
        /// `day('A')`: business date of the latest such fact on the bill.
        DayOf = "day" / (0, 0),
        /// `times('A')`: how many such facts the bill has had.
        Times = "times" / (0, 0),
        /// `count_within('A', ms)`: such facts on the lineage in (t - ms, t].
        CountWithin = "count_within" / (1, 1),
        /// `count_on_day('A')`: such facts on the lineage with the same business date.
        CountOnDay = "count_on_day" / (0, 0),
        /// `holders()`: distinct holders on the lineage from the payee on.
        Holders = "holders" / (0, 0),
        /// `return_days(n)`: days since the new holder first held, when at least n others held between.
        ReturnDays = "return_days" / (1, 1),
        /// `round_trip(days, bp)`: the buyer sold this range within days at a price within bp of now.
        RoundTrip = "round_trip" / (2, 2),
        /// `recourse_depth()`: changes of holder through recourse.
        RecourseDepth = "recourse_depth" / (0, 0),
        /// `shell_run(days)`: longest run of consecutive young, capital-less or tiny holders that ends now.
        ShellRun = "shell_run" / (1, 1),
        /// `provinces(days)`: distinct provinces of those who became holders in (t - days, t].
        Provinces = "provinces" / (1, 1),
        /// `against_trade_run()`: consecutive endorsements up to now with trade weight 0.
        AgainstTradeRun = "against_trade_run" / (0, 0),
        /// `held_hours()`: whole hours for which the last holder had held the range.
        HeldHours = "held_hours" / (0, 0),
        /// `came_by('A')`: the last holder had the range by such a fact.
        CameBy = "came_by" / (0, 0),
        /// `bought_rate(days)`: rate at which the last holder bought the range (IBT.SET) at most so many days before.
        BoughtRate = "bought_rate" / (1, 1),
        /// `endorsees_on_day()`: distinct endorsees of parts of the bill with the fact's business date.
        EndorseesOnDay = "endorsees_on_day" / (0, 0),
        /// `reassembled(days, n)`: of what the new holder gave away within so many days, the share that it holds again, when
        /// it came back through at least n first takers; else 0.
        Reassembled = "reassembled" / (2, 2),
        /// `repo_before('BRP.SET')`: some lot in the range was out on a repo opened so before the fact.
        RepoBefore = "repo_before" / (0, 0),
        /// `carves()`: ranges that the fact carved out (SPL.OUT).
        Carves = "carves" / (0, 0),
        /// `state_before('CS03', 'TF0303')`: some lot in the range had this status and flag before the fact.
        StateBefore = "state_before" / (2, 2),
        /// `risk_before('RS01', ...)`: some lot in the range had this risk before the fact.
        RiskBefore = "risk_before" / (1, 4),
        /// `pay_state_before('REFUSED_ALL', ...)`: some lot in the range had this pay_state before the fact.
        PayStateBefore = "pay_state_before" / (1, 4),
        /// `pledged_to_other(p)`: some lot in the range was pledged (TF0304) to another than p before the fact.
        PledgedToOther = "pledged_to_other" / (1, 1),
        /// `live_lots()`: lots of the bill that have not ended.
        LiveLots = "live_lots" / (0, 0),
        /// `live_lots_below(fen)`: those of them that are smaller.
        LiveLotsBelow = "live_lots_below" / (1, 1),
        /// `hops()`: END.SGN on the lineage.
        Hops = "hops" / (0, 0),
        /// `bought_today_fen()`: what is sold now and its seller bought (IBT.SET) on the same business date, fen.
        BoughtTodayFen = "bought_today_fen" / (0, 0),
        /// `waited_ms()`: how long the answered request was open.
        WaitedMs = "waited_ms" / (0, 0),
        /// `minutes_since('A')`: whole minutes since the first such fact on the bill.
        MinutesSince = "minutes_since" / (0, 0),
        /// `disposed_before(p)`: p gave some lot in the range away, or pledged it, and does not have it back.
        DisposedBefore = "disposed_before" / (1, 1),
        /// `on_repo_to_other(p)`: some lot in the range stood out on repo to another than p before the fact.
        OnRepoToOther = "on_repo_to_other" / (1, 1),
        /// `range_uncovered()`: no set of live lots makes up the range.
        RangeUncovered = "range_uncovered" / (0, 0),
        /// `disclosure_matches()`: the acceptance was disclosed, with the face, due date and acceptor of the register.
        DisclosureMatches = "disclosure_matches" / (0, 0),
        /// `mentions(remark, '银行')`: a text field of the fact contains the text.
        Mentions = "mentions" / (2, 2),
        /// `name_distance(acceptor_name, p)`: edits between a name in the fact and the registered name of p.
        NameDistance = "name_distance" / (2, 2),
        /// `trader_active(trader_id, p)`: the trader that the field names is one of p's, active and in time.
        TraderActive = "trader_active" / (2, 2),
        /// `branch_succeeded()`: another branch has taken over the branch through which the sender acts.
        BranchSucceeded = "branch_succeeded" / (0, 0),
        /// `effect('ILLEGAL_STATE')`: the fact has this effect.
        Effect = "effect" / (1, 4),
        /// `variants()`: the fact's id came with several contents.
        Variants = "variants" / (0, 0),
        /// `unknown_code()`: a code is not in enums.csv.
        UnknownCode = "unknown_code" / (0, 0),
        /// `missing_field()`: a field that payloads.csv calls mandatory is missing.
        MissingField = "missing_field" / (0, 0),
        /// `bad_bill_number(check_digit)`: the bill number is malformed.
        BadBillNumber = "bad_bill_number" / (1, 1),
        /// `bad_credit_code()`: the check character of uscc is wrong.
        BadCreditCode = "bad_credit_code" / (0, 0),
    }
}

words! {
    /// Functions of reference data at the instant of the fact, or at the end of the judged bucket.
    Lookup {
        /// `related(a, b)` of derived.csv.
        Related = "related" / (2, 2),
        /// `known(p)`: the party is registered.
        Known = "known" / (1, 1),
        /// `trade_weight(buyer, supplier)` of trade_matrix.csv; unknown section: 1.
        TradeWeight = "trade_weight" / (2, 2),
        /// `watch_listed(p)`: on an active MST.BLK list.
        WatchListed = "watch_listed" / (1, 1),
        /// `has_flag(p, 'LGFV')`: a special flag of an enterprise.
        HasFlag = "has_flag" / (2, 2),
        /// `disclosure_day(p, 'DIS.REG')`: day of the latest such notice about an acceptor (REG, ANN, PSL, RST; of SUS the one
        /// in force); 0 when there is none.
        DisclosureDay = "disclosure_day" / (2, 2),
        /// `disclosed_month(p)`: the latest month (as `month(day)`) of a DIS.CRD; 0 when there is none.
        DisclosedMonth = "disclosed_month" / (1, 1),
        /// `background_fen(drawer, number)`: fen of the contract or invoice with this hash of its number.
        BackgroundFen = "background_fen" / (2, 2),
        /// `sharing(p, 'address')`, `sharing(p, 'legal_rep')`: enterprises that have the same as p, p included.
        Sharing = "sharing" / (2, 2),
        /// `lookalike_province(p, likeness, inner)`: province of a protected enterprise of another group whose name p's comes
        /// close to; 1 where that has none, 0 when there is no such name. A name of fewer letters than `inner` must begin or end p's.
        LookalikeProvince = "lookalike_province" / (3, 3),
        /// `is_enterprise(p)`
        IsEnterprise = "is_enterprise" / (1, 1),
        /// `tier(p)`: tier of an institution.
        Tier = "tier" / (1, 1),
        /// `reference_rate('RK07', days)`: deposit or benchmark rate at the tenor nearest to so many days.
        ReferenceRate = "reference_rate" / (2, 2),
        /// `head_office(branch)`: the legal institution of a branch.
        HeadOffice = "head_office" / (1, 1),
        /// `business_day(day, n)`: the n-th business day after a day; before it when n is negative.
        BusinessDay = "business_day" / (2, 2),
        /// `is_business_day(day)`
        IsBusinessDay = "is_business_day" / (1, 1),
        /// `business_days(after, until)`: how many lie in after < day <= until.
        BusinessDays = "business_days" / (2, 2),
        /// `credit_line_fen(giver, taker)`: limit of the MST.CRL in force.
        CreditLineFen = "credit_line_fen" / (2, 2),
    }
}

words! {
    /// Functions of the same judgement on other days: `ago('month', 12, x)`. Arguments: how the days lie apart, how many
    /// of them, and what is asked there.
    Series {
        /// `ago(step, n, x)`: x on the day n steps back.
        Ago = "ago" / (2, 2),
        /// `count_of(step, n, condition)`: on how many of the last n days, the judged one included, it holds.
        CountOf = "count_of" / (2, 2),
        /// `mean_of(step, n, x)`: mean of x over the n days before the judged one, as far as it has a value there.
        MeanOf = "mean_of" / (2, 2),
        /// `std_of(step, n, x)`: population standard deviation over the same days.
        DeviationOf = "std_of" / (2, 2),
        /// `cusum(step, n, z, k, h)`: larger of the two cumulative sums max(0, S + z - k) and max(0, S - z - k) over the last n
        /// days; a day without z adds nothing, and the day after one above h begins at 0 again.
        Cusum = "cusum" / (4, 4),
        /// `streak(step, n, counts, holds)`: of the days where `counts` holds, the newest in a row where `holds` does, as far
        /// as n steps back, the judged one included.
        Streak = "streak" / (3, 3),
    }
}

words! {
    /// How days of a series lie apart.
    Step {
        /// Calendar days.
        Day = "day",
        /// Business days.
        BusinessDay = "business_day",
        /// Last days of months.
        Month = "month",
        /// Last days of quarters.
        Quarter = "quarter",
        /// Last days of the same month of other years.
        Year = "year",
    }
}

words! {
    /// What a peer rule asks about the subject and the others of its group; the subject is never among them (facts.md 9.7).
    Peer {
        /// `metric()`: the subject's own value.
        Metric = "metric" / (0, 0),
        /// `quantile(q)`: nearest rank over the others.
        Quantile = "quantile" / (1, 1),
        /// `median()` over the others.
        Median = "median" / (0, 0),
        /// `mad()`: median distance of the others from their median.
        Deviation = "mad" / (0, 0),
        /// `peers()`: how many others there are.
        Peers = "peers" / (0, 0),
    }
}

impl Window {
    /// The first argument after the window is the name of another one.
    pub const fn reads_two(self) -> bool {
        matches!(
            self,
            Window::FirstAmong
                | Window::SumOutside
                | Window::Near
                | Window::LargestRatio
                | Window::SharedSum
                | Window::LongestChain
                | Window::AverageShift
                | Window::Psi
        )
    }
}

/// A name of an expression that stands for one value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Variable {
    /// A raw field of the fact.
    Field(Field),
    /// A derived value.
    Derived(Derived),
    /// A party.
    Party(Role),
    /// Master or financial data of a party: `drawer.reg_date`, `key.total_assets_fen`.
    Attribute(Role, Field),
}

impl Variable {
    /// The variable of a name; derived names win over raw fields of the same name.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(derived) = Derived::parse(text) {
            return Some(Variable::Derived(derived));
        }
        if let Some(role) = Role::parse(text) {
            return Some(Variable::Party(role));
        }
        if let Some((role, field)) = text.split_once('.') {
            return Some(Variable::Attribute(Role::parse(role)?, field_named(field)?));
        }
        field_named(text).map(Variable::Field)
    }
}

pub(super) fn field_named(name: &str) -> Option<Field> {
    FIELD_NAMES.iter().position(|known| *known == name).map(|at| FIELDS[at])
}

/// A code as a number of an expression: its bytes, which are ASCII and at most 16, so the number is never negative.
pub fn code_number(code: &Code) -> Number {
    Number::whole(code.number() as i128)
}

/// The code of a number: the inverse of [`code_number`].
pub fn code_of_number(number: Number) -> Option<Code> {
    let bytes = u128::try_from(number.as_whole()?).ok()?.to_be_bytes();
    let length = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    if length == 0 || bytes[length..].iter().any(|byte| *byte != 0) { None } else { Code::from_bytes(&bytes[..length]) }
}

/// A short text as a number, as [`code_number`]; what is not ASCII serves `mentions` only.
pub fn text_number(text: &str) -> Number {
    let mut bytes = [0u8; 16];
    let length = text.len().min(16);
    bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
    Number::whole(i128::from_be_bytes(bytes))
}

/// The text of a [`text_number`].
pub fn number_text(number: Number) -> Option<String> {
    let bytes = number.as_whole()?.to_be_bytes();
    let length = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8(bytes[..length].to_vec()).ok()
}
