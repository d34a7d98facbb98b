//! Points in time and spans of it, in microseconds. The owner's clock; one for both directions.

use std::ops::{Add, AddAssign, Div, Mul};

/// A point in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

/// A length of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(u64);

impl Time {
    /// That many microseconds after the clock's beginning.
    pub const fn from_micros(micros: u64) -> Time {
        Time(micros)
    }

    /// Microseconds since the clock's beginning.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// How long after `earlier`; zero when it is not.
    pub const fn since(self, earlier: Time) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// That much earlier.
    pub const fn before(self, span: Span) -> Time {
        Time(self.0.saturating_sub(span.0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// That many microseconds.
    pub const fn from_micros(micros: u64) -> Span {
        Span(micros)
    }

    /// That many milliseconds.
    pub const fn from_millis(millis: u64) -> Span {
        Span(millis * 1000)
    }

    /// That many seconds.
    pub const fn from_secs(secs: u64) -> Span {
        Span(secs * 1_000_000)
    }

    /// The number of microseconds.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// The number of seconds, with their fraction.
    #[expect(clippy::cast_precision_loss, reason = "2^53 us are 285 years")]
    pub const fn seconds(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// The difference; zero when `other` is longer.
    pub const fn minus(self, other: Span) -> Span {
        Span(self.0.saturating_sub(other.0))
    }
}

impl Add<Span> for Time {
    type Output = Time;
    fn add(self, span: Span) -> Time {
        Time(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Time {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Add for Span {
    type Output = Span;
    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}

impl Mul<u64> for Span {
    type Output = Span;
    fn mul(self, factor: u64) -> Span {
        Span(self.0.saturating_mul(factor))
    }
}

impl Div<u64> for Span {
    type Output = Span;
    fn div(self, divisor: u64) -> Span {
        Span(self.0 / divisor)
    }
}
