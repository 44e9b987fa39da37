//! Where packed bills rest: byte strings of any length, a `Vec` for none of them.
//!
//! Lengths fall into classes, 16 bytes apart while small; each class cuts pages into pieces and uses again what was given
//! back. A piece wastes 8 bytes on average and costs the allocator nothing.

/// Bytes of a page of pieces: many pieces, and little lost where a class has but one page.
const PAGE_BYTES: usize = 16 << 10;
/// Up to here pieces are cut in steps of [`SMALL_STEP`].
const SMALL_MAX: usize = 512;
const SMALL_STEP: usize = 16;
/// Up to here in steps of [`MIDDLE_STEP`]; what is larger has an allocation of its own.
const MIDDLE_MAX: usize = 2_048;
const MIDDLE_STEP: usize = 64;
const CLASSES: usize = SMALL_MAX / SMALL_STEP + (MIDDLE_MAX - SMALL_MAX) / MIDDLE_STEP;

/// Byte strings, found again by number and length.
pub struct Pieces {
    classes: [Class; CLASSES],
    large: Vec<Box<[u8]>>,
    large_free: Vec<u32>,
}

#[derive(Default)]
struct Class {
    pages: Vec<Box<[u8]>>,
    /// Pieces that were given out at least once.
    begun: u32,
    free: Vec<u32>,
}

/// The class of a length and the bytes of its pieces; `None`: large.
fn class_of(length: usize) -> Option<(usize, usize)> {
    if length <= SMALL_MAX {
        let class = length.max(1).div_ceil(SMALL_STEP);
        Some((class - 1, class * SMALL_STEP))
    } else if length <= MIDDLE_MAX {
        let class = (length - SMALL_MAX).div_ceil(MIDDLE_STEP);
        Some((SMALL_MAX / SMALL_STEP + class - 1, SMALL_MAX + class * MIDDLE_STEP))
    } else {
        None
    }
}

impl Default for Pieces {
    fn default() -> Self {
        Pieces { classes: std::array::from_fn(|_| Class::default()), large: Vec::new(), large_free: Vec::new() }
    }
}

impl Pieces {
    /// Keeps bytes; gives the number under which they are found, with their length.
    pub fn put(&mut self, bytes: &[u8]) -> u32 {
        let Some((class, size)) = class_of(bytes.len()) else {
            return match self.large_free.pop() {
                Some(number) => {
                    self.large[number as usize] = bytes.into();
                    number
                }
                None => {
                    self.large.push(bytes.into());
                    self.large.len() as u32 - 1
                }
            };
        };
        let class = &mut self.classes[class];
        let number = class.free.pop().unwrap_or_else(|| {
            class.begun += 1;
            class.begun - 1
        });
        let (page, at) = place_of(number, size);
        if page == class.pages.len() {
            class.pages.push(vec![0; PAGE_BYTES / size * size].into());
        }
        class.pages[page][at..at + bytes.len()].copy_from_slice(bytes);
        number
    }

    /// The bytes of a number.
    pub fn get(&self, number: u32, length: usize) -> &[u8] {
        match class_of(length) {
            None => &self.large[number as usize],
            Some((class, size)) => {
                let (page, at) = place_of(number, size);
                &self.classes[class].pages[page][at..at + length]
            }
        }
    }

    /// Gives a number back.
    pub fn free(&mut self, number: u32, length: usize) {
        match class_of(length) {
            None => {
                self.large[number as usize] = Box::default();
                self.large_free.push(number);
            }
            Some((class, _)) => self.classes[class].free.push(number),
        }
    }

    /// Bytes held, those of free pieces included.
    pub fn heap_bytes(&self) -> usize {
        let of_class = |class: &Class| {
            let pages: usize = class.pages.iter().map(|page| page.len() + size_of::<Box<[u8]>>()).sum();
            pages + class.free.capacity() * size_of::<u32>()
        };
        let classes: usize = self.classes.iter().map(of_class).sum();
        let large: usize = self.large.iter().map(|bytes| bytes.len()).sum();
        classes + large + self.large.capacity() * size_of::<Box<[u8]>>() + self.large_free.capacity() * size_of::<u32>()
    }
}

fn place_of(number: u32, size: usize) -> (usize, usize) {
    let per_page = PAGE_BYTES / size;
    (number as usize / per_page, number as usize % per_page * size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_has_a_class_that_holds_it() {
        let mut before = 0;
        for length in 1..=MIDDLE_MAX {
            let (class, size) = class_of(length).unwrap();
            assert!(size >= length && size <= PAGE_BYTES && class >= before && class < CLASSES, "{length}");
            before = class;
        }
        assert_eq!(class_of(MIDDLE_MAX + 1), None);
    }

    #[test]
    fn bytes_come_back_and_room_is_used_again() {
        let mut pieces = Pieces::default();
        let text = |number: usize| vec![number as u8; number * 37 % 3_000 + 1];
        let mut kept: Vec<(u32, usize)> = (0..500).map(|number| (pieces.put(&text(number)), number)).collect();
        let full = pieces.heap_bytes();
        for round in 0..5 {
            // Every third goes and comes again.
            for (at, number) in kept.iter_mut().filter(|(_, number)| number % 3 == round % 3) {
                pieces.free(*at, text(*number).len());
                *at = u32::MAX;
            }
            for (at, number) in kept.iter_mut().filter(|(at, _)| *at == u32::MAX) {
                *at = pieces.put(&text(*number));
            }
            for (at, number) in &kept {
                assert_eq!(pieces.get(*at, text(*number).len()), text(*number));
            }
        }
        assert!(pieces.heap_bytes() < full + 8_192, "{} after {full}", pieces.heap_bytes());
    }
}
