//! Lives that changed since the last checkpoint, each once.

use super::{Dense, SINGLE, single_place};

/// A list, and one bit a life that says who stands in it.
#[derive(Default)]
pub struct Dirty {
    list: Vec<Dense>,
    bills: Vec<u64>,
    singles: Vec<u64>,
}

impl Dirty {
    /// Notes that a life changed.
    #[inline]
    pub fn mark(&mut self, dense: Dense) {
        let (bits, place) = if dense & SINGLE == 0 {
            (&mut self.bills, dense as usize)
        } else {
            (&mut self.singles, single_place(dense))
        };
        let (word, bit) = (place / 64, 1u64 << (place % 64));
        if word >= bits.len() {
            bits.resize(word + 1, 0);
        }
        if bits[word] & bit == 0 {
            bits[word] |= bit;
            self.list.push(dense);
        }
    }

    /// Everybody who changed; from now on nobody has.
    pub fn take(&mut self) -> Vec<Dense> {
        self.bills.fill(0);
        self.singles.fill(0);
        std::mem::take(&mut self.list)
    }

    /// Bytes held.
    pub fn heap_bytes(&self) -> usize {
        self.list.capacity() * size_of::<Dense>() + (self.bills.capacity() + self.singles.capacity()) * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_life_stands_once_until_it_is_taken() {
        let mut dirty = Dirty::default();
        for dense in [3, 700, 3, 3 | SINGLE, 700, 3 | SINGLE] {
            dirty.mark(dense);
        }
        assert_eq!(dirty.take(), [3, 700, 3 | SINGLE]);
        assert!(dirty.take().is_empty());
        dirty.mark(700);
        assert_eq!(dirty.take(), [700]);
    }
}
