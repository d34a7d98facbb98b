//! SplitMix64: a small, seedable, portable generator. Faults must be the same on every machine.

/// Steele, Lea, Flood: "Fast splittable pseudorandom number generators" (OOPSLA 2014). Not for secrets.
#[derive(Debug, Clone)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// A generator whose numbers follow from `seed` alone.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, uniform over all 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next number, uniform over 0..1 (53 bits).
    pub fn next_unit(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
        let n = (self.next_u64() >> 11) as f64;
        n / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::SplitMix64;

    #[test]
    fn seed_1234567_gives_the_published_numbers() {
        let mut rng = SplitMix64::new(1_234_567);
        let got: Vec<_> = (0..5).map(|_| rng.next_u64()).collect();
        let want = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(got, want);
    }

    #[test]
    fn unit_numbers_stay_below_one() {
        let mut rng = SplitMix64::new(1);
        assert!((0..10_000).all(|_| (0.0..1.0).contains(&rng.next_unit())));
    }
}
