//! Functions of a fact and of the past of its bill.

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
        /// `queued_minutes()`: whole minutes since the first PAY.QUE of the presentation that the fact ends.
        QueuedMinutes = "queued_minutes" / (0, 0),
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
