//! What parties are, as numbers of items: worked out once for a party, read by every dimension of every role that it plays.
//!
//! A *profile* is what is said of a party in codes, for a span of time, each code as its place among the items of its
//! enumeration. A fact names its parties' profiles; which cells they mean is read off when rows are added up. The party
//! itself, its group, lists and age are no codes or move with the date: they stay outside.
//!
//! Invariants: a number stays what it is until [`Profiles::rest`]; after reference data has changed nothing that was known
//! before is given out again.

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::{layout::ItemPlaces, rows::Players};
use crate::{
    ids::{InstId, PartyId},
    items::{Item, Vocabulary},
    names::{Attribute, CODED_ATTRIBUTES, Role},
    observe::{
        Played, Player,
        attributes::{AsOf, Expected, Known, expected},
    },
    reference_data::Span,
};

/// Profiles kept from epoch to epoch: a few MB.
const MOST_PROFILES: usize = 1 << 16;
/// The attribute has several items, or none: they stand in `several`.
const SEVERAL: u16 = u16::MAX;

/// Whom a profile is of, and how it is looked at.
type Key = (PartyId, Option<InstId>, Expected);

/// All profiles of a shard.
pub(super) struct Profiles {
    attributes: [Option<ItemPlaces>; CODED_ATTRIBUTES.len()],
    /// Of the reference data that they were read from.
    version: u64,
    known: HashMap<Key, SmallVec<[(Span, u32); 1]>>,
    places: Vec<[u16; CODED_ATTRIBUTES.len()]>,
    several: HashMap<(u32, u8), SmallVec<[u16; 4]>>,
}

/// A profile's number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Profile(u32);

impl Profile {
    /// Nobody is named: every attribute is `UNKNOWN`.
    const UNKNOWN: Profile = Profile(0);
    /// No such role: `NA`.
    pub const NOBODY: Profile = Profile(1);
    /// An enterprise where an institution is asked for: `ENTERPRISE`.
    const ENTERPRISE: Profile = Profile(2);
}

/// The number of an attribute in a profile; `None` for those outside.
pub(super) fn coded(attribute: Attribute) -> Option<u8> {
    CODED_ATTRIBUTES.iter().position(|known| *known == attribute).map(|place| place as u8)
}

impl Profiles {
    pub fn new(vocabulary: &Vocabulary) -> Self {
        let places = |attribute: Attribute| {
            attribute.enumeration(&vocabulary.known).map(|known| ItemPlaces::new(vocabulary, Some(known)))
        };
        let mut profiles = Profiles {
            attributes: CODED_ATTRIBUTES.map(places),
            version: 0,
            known: HashMap::new(),
            places: Vec::new(),
            several: HashMap::new(),
        };
        profiles.clear();
        profiles
    }

    fn clear(&mut self) {
        self.known.clear();
        self.several.clear();
        self.places.clear();
        for special in [Item::UNKNOWN, Item::NA, Item::ENTERPRISE] {
            self.places.push([special.bits() as u16; CODED_ATTRIBUTES.len()]);
        }
    }

    /// Between epochs: nobody holds a number now.
    pub fn rest(&mut self) {
        if self.places.len() > MOST_PROFILES {
            self.clear();
        }
    }

    /// The profile of whoever plays a role.
    #[inline]
    pub fn of<'a>(
        &mut self,
        as_of: AsOf<'a>,
        role: Role,
        played: Played,
        look: impl FnOnce(Player) -> Known<'a>,
    ) -> Profile {
        let player = match played {
            Played::By(player) => player,
            Played::ByEnterprise => return Profile::ENTERPRISE,
            Played::Unknown => return Profile::UNKNOWN,
            Played::NoRole => return Profile::NOBODY,
        };
        let expected = expected(role);
        match expected {
            Expected::Institution if player.party.is_enterprise() => return Profile::ENTERPRISE,
            Expected::InstitutionOnly if player.party.is_enterprise() => return Profile::NOBODY,
            Expected::Enterprise if player.party.is_legal() => return Profile::NOBODY,
            _ => {}
        }
        if self.version != as_of.reference.version() {
            self.known.clear();
            self.version = as_of.reference.version();
        }
        let key = (player.party, player.branch, expected);
        if let Some(known) = self.known.get(&key)
            && let Some((_, profile)) = known.iter().find(|(span, _)| span.holds(as_of.at))
        {
            return Profile(*profile);
        }
        let known = look(player);
        let profile = self.make(as_of, role, played, known);
        self.known.entry(key).or_default().push((known.span, profile.0));
        profile
    }

    fn make<'a>(&mut self, as_of: AsOf<'a>, role: Role, played: Played, known: Known<'a>) -> Profile {
        let profile = self.places.len() as u32;
        let mut row = [SEVERAL; CODED_ATTRIBUTES.len()];
        for (number, attribute) in CODED_ATTRIBUTES.into_iter().enumerate() {
            let mut items: SmallVec<[u16; 4]> = SmallVec::new();
            let places = self.attributes[number];
            as_of.each_item(
                role,
                played,
                attribute,
                |_| known,
                |item| {
                    // Codes of an attribute lie in its enumeration, so they all have a place.
                    items.extend(places.and_then(|places| places.of(item)).map(|place| place as u16));
                },
            );
            if let [item] = items[..] {
                row[number] = item;
            } else {
                self.several.insert((profile, number as u8), items);
            }
        }
        self.places.push(row);
        Profile(profile)
    }

    /// The places of an attribute's items.
    #[inline]
    pub fn items(&self, profile: Profile, attribute: u8) -> &[u16] {
        let place = &self.places[profile.0 as usize][usize::from(attribute)];
        if *place != SEVERAL {
            return std::slice::from_ref(place);
        }
        self.several.get(&(profile.0, attribute)).map_or(&[], |items| items)
    }

    /// Hands over (row, place) of an attribute's items for the players of some rows: each place once a row.
    #[inline]
    pub fn each_item(&self, of: &Players, attribute: u8, mut take: impl FnMut(u32, u32)) {
        for (number, player) in of.as_slice().iter().enumerate() {
            let place = self.places[player.profile.0 as usize][usize::from(attribute)];
            if place != SEVERAL && player.before == 0 {
                take(player.row, u32::from(place));
                continue;
            }
            let before = &of.as_slice()[number - player.before as usize..number];
            for item in self.items(player.profile, attribute) {
                if !before.iter().any(|other| self.items(other.profile, attribute).contains(item)) {
                    take(player.row, u32::from(*item));
                }
            }
        }
    }

    pub fn heap_bytes(&self) -> usize {
        self.known.capacity() * (size_of::<Key>() + 40) + self.places.capacity() * size_of_val(&self.places[0])
    }
}
