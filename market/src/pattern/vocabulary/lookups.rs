//! Functions of reference data, of the same question on other days, and of peers.

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
