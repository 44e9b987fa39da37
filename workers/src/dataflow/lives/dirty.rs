//! Lives that are not saved as they are, each once.

use super::{Dense, SINGLE, single_place};
use crate::dataflow::unsaved::{Marks, Sweep};

/// A list, and one bit a life that says who stands in it.
#[derive(Default)]
pub struct Dirty {
    list: Sweep<Dense>,
    bills: Marks,
    singles: Marks,
}

impl Dirty {
    /// Notes that a life changed.
    #[inline]
    pub fn mark(&mut self, dense: Dense) {
        let is_new =
            if dense & SINGLE == 0 { self.bills.set(dense as usize) } else { self.singles.set(single_place(dense)) };
        if is_new {
            self.list.push(dense);
        }
    }

    /// Begins a sweep over everybody who changed.
    pub fn begin_sweep(&mut self) {
        self.list.begin();
    }

    /// The next of the sweep, to be saved now.
    pub fn take(&mut self) -> Option<Dense> {
        let dense = self.list.pop()?;
        if dense & SINGLE == 0 {
            self.bills.clear(dense as usize);
        } else {
            self.singles.clear(single_place(dense));
        }
        Some(dense)
    }

    /// Bytes held.
    pub fn heap_bytes(&self) -> usize {
        self.list.heap_bytes() + self.bills.heap_bytes() + self.singles.heap_bytes()
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
        dirty.begin_sweep();
        let mut taken: Vec<_> = std::iter::from_fn(|| dirty.take()).collect();
        taken.sort_unstable();
        assert_eq!(taken, [3, 700, 3 | SINGLE]);
        dirty.mark(700);
        dirty.begin_sweep();
        assert_eq!((dirty.take(), dirty.take()), (Some(700), None));
    }
}
