//! Proportional rate reduction (RFC 6937): during recovery the window shrinks as acknowledgements
//! come, so that at its end about `ssthresh` octets are under way, without a silence and without a burst.

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Prr {
    /// Octets delivered since the recovery began.
    delivered: u64,
    /// Octets sent since.
    out: u64,
    /// Octets outstanding when it began (RecoverFS).
    flight: u64,
}

impl Prr {
    pub(crate) fn begin(flight: u64) -> Prr {
        Prr {
            delivered: 0,
            out: 0,
            flight: flight.max(1),
        }
    }

    pub(crate) fn sent(&mut self, octets: u64) {
        self.out += octets;
    }

    /// How much may be sent on this acknowledgement (RFC 6937 3.1, with the slow start of the reduction bound only
    /// while the recovery gets on: `safe`).
    pub(crate) fn allowance(
        &mut self,
        delivered: u64,
        pipe: u64,
        ssthresh: u64,
        mss: u64,
        safe: bool,
    ) -> u64 {
        self.delivered += delivered;
        let allowed = if pipe > ssthresh {
            let share = u128::from(self.delivered) * u128::from(ssthresh);
            let share = share.div_ceil(u128::from(self.flight));
            u64::try_from(share)
                .unwrap_or(u64::MAX)
                .saturating_sub(self.out)
        } else {
            let conserving = self.delivered.saturating_sub(self.out).max(delivered);
            let limit = if safe { conserving + mss } else { conserving };
            limit.min(ssthresh - pipe)
        };
        // The first retransmission leaves at once (RFC 6675 5, step 4.3).
        if self.out == 0 {
            allowed.max(mss)
        } else {
            allowed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u64 = 1000;

    /// RFC 6937 3.1's first example: 20 segments, the first lost, ssthresh 10: one segment leaves for every
    /// two that are delivered.
    #[test]
    fn one_loss_halves_the_rate() {
        let mut prr = Prr::begin(20 * MSS);
        let mut sent = Vec::new();
        let mut pipe = 19 * MSS;
        for _ in 0..19 {
            pipe -= MSS;
            let allowed = prr.allowance(MSS, pipe, 10 * MSS, MSS, false) / MSS * MSS;
            prr.sent(allowed);
            pipe += allowed;
            sent.push(allowed / MSS);
        }
        assert_eq!(sent.iter().sum::<u64>(), 10, "{sent:?}");
        assert_eq!(pipe, 10 * MSS, "as much under way as the new threshold");
        assert!(sent.iter().all(|n| *n <= 1), "no burst: {sent:?}");
    }

    /// Most of the window is lost: what is under way falls below the threshold, and the reduction bound
    /// lets as much leave as arrives, and a segment more while the recovery gets on.
    #[test]
    fn heavy_loss_is_bounded_by_what_arrives() {
        let mut prr = Prr::begin(20 * MSS);
        prr.sent(MSS);
        prr.allowance(MSS, 5 * MSS, 10 * MSS, MSS, false);
        assert_eq!(prr.allowance(MSS, 5 * MSS, 10 * MSS, MSS, false), MSS);
        assert_eq!(prr.allowance(MSS, 5 * MSS, 10 * MSS, MSS, true), 3 * MSS);
        assert_eq!(
            prr.allowance(9 * MSS, 8 * MSS, 10 * MSS, MSS, true),
            2 * MSS,
            "never beyond the threshold"
        );
    }

    #[test]
    fn first_retransmission_leaves_at_once() {
        let mut prr = Prr::begin(100 * MSS);
        assert_eq!(prr.allowance(0, 90 * MSS, 10 * MSS, MSS, false), MSS);
    }
}
