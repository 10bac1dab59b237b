//! Pauses between the passes of something that waits.

use std::time::Duration;

/// The first pause. Each one is twice as long as the one before.
const SHORTEST: Duration = Duration::from_millis(5);
/// The longest pause.
const LONGEST: Duration = Duration::from_millis(200);

/// Pauses that double up to a limit.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) fn new() -> Backoff {
        Backoff(SHORTEST)
    }

    /// Returns the next pause, at most `left`.
    fn next(&mut self, left: Duration) -> Duration {
        let pause = self.0.min(left);
        self.0 = (self.0 * 2).min(LONGEST);
        pause
    }

    /// Sleeps for the next pause, at most `left`.
    pub(crate) fn pause(&mut self, left: Duration) {
        std::thread::sleep(self.next(left));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_never_exceed_what_is_left() {
        let mut backoff = Backoff::new();
        let pauses: Vec<u128> = (0..8).map(|_| backoff.next(Duration::MAX).as_millis()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 200, 200]);
        assert_eq!(backoff.next(Duration::from_millis(7)).as_millis(), 7);
    }
}
