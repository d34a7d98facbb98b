//! The largest value of ten rounds, by its three best (Kathleen Nichols' filter, Linux's `minmax.c`).

/// Rounds a value is remembered.
const ROUNDS: u64 = 10;

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    round: u64,
    value: u64,
}

#[derive(Debug, Default)]
pub(crate) struct MaxFilter {
    best: [Entry; 3],
}

impl MaxFilter {
    pub(crate) fn max(&self) -> u64 {
        self.best[0].value
    }

    pub(crate) fn update(&mut self, round: u64, value: u64) {
        let entry = Entry { round, value };
        if value >= self.best[0].value || round - self.best[2].round > ROUNDS {
            self.best = [entry; 3];
            return;
        }
        if value >= self.best[1].value {
            self.best[1] = entry;
            self.best[2] = entry;
        } else if value >= self.best[2].value {
            self.best[2] = entry;
        }
        let [first, second, _] = self.best;
        let age = round - first.round;
        if age > ROUNDS {
            self.best = [second, self.best[2], entry];
            if round - self.best[0].round > ROUNDS {
                self.best = [self.best[1], self.best[2], entry];
            }
        } else if second.round == first.round && age > ROUNDS / 4 {
            self.best[1] = entry;
            self.best[2] = entry;
        } else if self.best[2].round == second.round && age > ROUNDS / 2 {
            self.best[2] = entry;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::MaxFilter;

    #[test]
    fn maximum_is_of_the_last_ten_rounds() {
        let mut filter = MaxFilter::default();
        filter.update(1, 100);
        for round in 2..=11 {
            filter.update(round, 50 + round);
            assert_eq!(filter.max(), 100, "round {round}");
        }
        filter.update(12, 40);
        assert!((55..=61).contains(&filter.max()), "{}", filter.max());
        filter.update(13, 70);
        assert_eq!(filter.max(), 70);
    }

    #[test]
    fn silence_forgets_everything() {
        let mut filter = MaxFilter::default();
        filter.update(1, 100);
        filter.update(40, 10);
        assert_eq!(filter.max(), 10);
    }
}
