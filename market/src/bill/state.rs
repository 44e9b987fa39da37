//! The four small state codes of a lot (domain.md 4.1): bill status, circulation flag, risk, payment state.

use serde::{Deserialize, Serialize};

macro_rules! state_codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every value, in the order of its code table.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];

            /// Its code, as in `enums.csv`.
            pub const fn code(self) -> &'static str {
                match self { $($name::$variant => $code,)+ }
            }

            /// The value of a code; `None` when no such code is set by the fold.
            pub fn parse(code: &str) -> Option<Self> {
                match code { $($code => Some($name::$variant),)+ _ => None }
            }
        }
    };
}

state_codes! {
    /// Bill status (票据状态).
    Status {
        /// Drawn.
        Drawn = "CS01",
        /// Accepted.
        Accepted = "CS02",
        /// Received: in the hands of payee or a later holder.
        Received = "CS03",
        /// Due.
        Due = "CS04",
        /// Terminated. The lot has ended.
        Terminated = "CS05",
        /// Settled. The lot has ended.
        Settled = "CS06",
    }
}

impl Status {
    /// False for CS05 and CS06.
    pub const fn is_live(self) -> bool {
        !matches!(self, Status::Terminated | Status::Settled)
    }
}

state_codes! {
    /// Circulation flag (流通标志).
    Flag {
        /// Awaiting receipt.
        AwaitingReceipt = "TF0101",
        /// Circulating.
        Circulating = "TF0301",
        /// Locked by an open request.
        Locked = "TF0302",
        /// Not transferable.
        NotTransferable = "TF0303",
        /// Pledged.
        Pledged = "TF0304",
        /// Awaiting redemption.
        AwaitingRedemption = "TF0305",
        /// Presented for payment.
        InCollection = "TF0401",
        /// In recourse.
        InRecourse = "TF0402",
        /// Ended.
        Ended = "TF0501",
    }
}

state_codes! {
    /// Risk flag (风险状态). RS04 and RS05 are set by no behaviour.
    Risk {
        /// Normal.
        Normal = "RS00",
        /// Stop payment.
        StopPayment = "RS01",
        /// Public summons.
        Summons = "RS02",
        /// Judicial freeze.
        Frozen = "RS03",
    }
}

state_codes! {
    /// Payment state of a lot.
    PayState {
        /// Not presented.
        None = "NONE",
        /// Presented, not answered to the end.
        Presented = "PRESENTED",
        /// Refused, recourse against all parties.
        RefusedAll = "REFUSED_ALL",
        /// Refused, recourse against drawer, acceptor and their guarantors.
        RefusedLimited = "REFUSED_LTD",
        /// Refused before the due date, no recourse.
        RefusedNoRecourse = "REFUSED_NO",
        /// Clearing failed.
        Failed = "FAILED",
        /// Paid.
        Paid = "PAID",
        /// Paid by a substitute.
        PaidBySubstitute = "SUBPAID",
        /// Recovered through recourse.
        Recovered = "RECOVERED",
    }
}
