//! Functions of windows of features.

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
