//! Key groups: the fixed number of pieces into which bills and parties are cut for sharding.
//!
//! Owns the hash and the number of groups. Invariant: neither ever changes, because logs, histories and checkpoints are laid
//! out by key group. So the hash is written out here and tested against published vectors, not taken from a library.
//!
//! # The hash
//!
//! FNV-1a over the bytes (64 bit, offset basis `cbf29ce484222325`, prime `100000001b3`), then an avalanche finish:
//! `h ^= h >> 33; h *= ff51afd7ed558ccd; h ^= h >> 33; h *= c4ceb9fe1a85ec53; h ^= h >> 33`, all modulo 2^64. FNV-1a alone
//! leaves the high bits of short keys weak; the finish spreads them. The key group is the top 10 bits.
//!
//! | bytes | hash (hex) | key group |
//! |---|---|---|
//! | (empty) | `efd01f60ba992926` | 959 |
//! | `a` | `82a2a958a9bece5b` | 522 |
//! | `SYSTEM` | `0955824ed36a935f` | 37 |
//! | `E0000000017` | `5d91aab63f327c91` | 374 |
//! | `531333100011720250310000000012` | `7d7161ce5b1f01fc` | 501 |
//! | `031333100011720250310000000012` | `9c2f9d3cc8a079db` | 624 |

use crate::ids::{BillId, PartyId};

/// Number of key groups; a power of two.
pub const KEY_GROUPS: u16 = 1024;

/// The hash of the module's page.
pub const fn stable_hash64(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ hash >> 33
}

/// The key group of a text: `0..KEY_GROUPS`.
pub const fn key_group(bytes: &[u8]) -> u16 {
    (stable_hash64(bytes) >> (64 - KEY_GROUPS.trailing_zeros())) as u16
}

/// The key group of a bill, by its digits as written (leading zeros count).
pub fn key_group_of_bill(bill: BillId) -> u16 {
    let mut text = [b'0'; 38];
    let mut rest = bill.digits;
    let length = usize::from(bill.length).min(text.len());
    // Two halves: division of a u128 is slow.
    let mut at = length;
    while at > 0 && rest > 0 {
        let mut low = (rest % 10_000_000_000_000_000_000) as u64;
        rest /= 10_000_000_000_000_000_000;
        for _ in 0..19.min(at) {
            at -= 1;
            text[at] = b'0' + (low % 10) as u8;
            low /= 10;
        }
    }
    key_group(&text[..length])
}

/// The key group of a party, by its text.
pub fn key_group_of_party(party: PartyId) -> u16 {
    key_group(party.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Anybody who shards facts outside this program must get these.
    const VECTORS: [(&str, u64, u16); 6] = [
        ("", 0xefd0_1f60_ba99_2926, 959),
        ("a", 0x82a2_a958_a9be_ce5b, 522),
        ("SYSTEM", 0x0955_824e_d36a_935f, 37),
        ("E0000000017", 0x5d91_aab6_3f32_7c91, 374),
        ("531333100011720250310000000012", 0x7d71_61ce_5b1f_01fc, 501),
        ("031333100011720250310000000012", 0x9c2f_9d3c_c8a0_79db, 624),
    ];

    #[test]
    fn the_published_vectors_hold() {
        for (text, hash, group) in VECTORS {
            assert_eq!(stable_hash64(text.as_bytes()), hash, "{text}");
            assert_eq!(key_group(text.as_bytes()), group, "{text}");
        }
    }

    #[test]
    fn bills_and_parties_hash_as_their_text() {
        for text in ["5", "0", "007", "531333100011720250310000000012", "99999999999999999999999999999999999999"] {
            assert_eq!(key_group_of_bill(BillId::parse(text).unwrap()), key_group(text.as_bytes()), "{text}");
        }
        for text in ["SYSTEM", "MARKET", "E0000000017", "100103"] {
            assert_eq!(key_group_of_party(PartyId::parse(text).unwrap()), key_group(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn groups_of_one_days_bills_are_even() {
        let mut counts = vec![0u32; usize::from(KEY_GROUPS)];
        for serial in 0..102_400u32 {
            let bill = BillId::parse(&format!("5313331000117202503100{serial:07}0")).unwrap();
            counts[usize::from(key_group_of_bill(bill))] += 1;
        }
        // Mean 100, standard deviation 10: seven of them either way.
        assert!(counts.iter().all(|count| (30..=170).contains(count)), "{counts:?}");
    }
}
