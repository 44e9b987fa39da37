//! What stands for one value: parties, derived values, and functions of numbers alone.

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
        /// First day whose facts see the lot as overdue: for want of an answer it is so only at the end of the last day for it
        /// (stock scope).
        LotSeenOverdueFrom = "lot_seen_overdue_from",
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
        /// Instant at which the repo-like deal was opened that the range of the fact stood in before the fact, ms: with the range
        /// it tells the deals of one bill apart.
        OpenDealSince = "open_deal_since",
        /// First day on which the redemption of that deal failed (RPO.RDF); no value while it did not.
        OpenDealFailedOn = "open_deal_failed_on",
        /// A number for the range of the fact, or of the lot (stock scope): marks of ranges that lie end to end add up to that of the
        /// whole, so that equal sums of marks mean equal sets of ranges, however they are cut.
        RangeMark = "range_mark",
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
