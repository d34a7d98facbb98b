//! What happens to each frame: pure arithmetic on a seeded generator.

use crate::rng::SplitMix64;

/// A frame that is chosen for reordering is held this much longer, or for the link's delay again if that
/// is more: long enough for its successors to overtake it.
const REORDER_HOLD_MICROS: u64 = 1_000;

/// The faults of one direction. All zero (the default) is a perfect link.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Faults {
    /// Probability that a frame is lost, 0 to 1.
    pub loss: f64,
    /// Delay of every frame, in microseconds.
    pub delay_micros: u64,
    /// The delay varies by up to this much, uniformly, both ways (never below 0): frames overtake
    /// each other when it exceeds their distance.
    pub jitter_micros: u64,
    /// Probability that a frame is held back so that the next ones overtake it, 0 to 1.
    pub reorder: f64,
    /// Probability that a frame arrives twice, 0 to 1.
    pub duplicate: f64,
}

/// When the copies of a frame arrive: microseconds from now. No copy: it is lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fate {
    /// The frame.
    pub first: Option<u64>,
    /// Its duplicate.
    pub second: Option<u64>,
}

/// Decides the fate of one frame after the other.
#[derive(Debug, Clone)]
pub struct FaultModel {
    faults: Faults,
    rng: SplitMix64,
}

impl FaultModel {
    /// A model whose decisions follow from `seed` and `faults` alone.
    #[must_use]
    pub fn new(seed: u64, faults: Faults) -> Self {
        Self {
            faults,
            rng: SplitMix64::new(seed),
        }
    }

    /// The fate of the next frame.
    ///
    /// Draws five numbers whatever the outcome, so that with one seed the same frames are lost
    /// whether or not they are also delayed or duplicated.
    pub fn judge(&mut self) -> Fate {
        let [lose, hold, twice, jitter, jitter_twice] =
            std::array::from_fn(|_| self.rng.next_unit());
        if lose < self.faults.loss {
            return Fate::default();
        }
        let hold = if hold < self.faults.reorder {
            self.faults.delay_micros.max(REORDER_HOLD_MICROS)
        } else {
            0
        };
        let second = twice < self.faults.duplicate;
        Fate {
            first: Some(self.delay(jitter).saturating_add(hold)),
            second: second.then(|| self.delay(jitter_twice)),
        }
    }

    /// `unit` in 0..1 spreads the delay over delay - jitter ..= delay + jitter.
    fn delay(&self, unit: f64) -> u64 {
        let span = self
            .faults
            .jitter_micros
            .saturating_mul(2)
            .saturating_add(1);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "unit < 1, so the product lies in 0..span; microseconds of any sane jitter fit 53 bits"
        )]
        let offset = (unit * span as f64) as u64;
        self.faults
            .delay_micros
            .saturating_add(offset)
            .saturating_sub(self.faults.jitter_micros)
    }
}

#[cfg(test)]
mod tests;
