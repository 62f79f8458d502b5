use jiff::Timestamp;

/// The wall clock.
pub trait Clock: Send + Sync {
    /// Now, in whole milliseconds, so that what is stored reads back equal.
    fn now(&self) -> Timestamp;
}

/// Randomness of the operating system.
pub trait Entropy: Send + Sync {
    /// Fills the buffer. Panics where the operating system has no randomness: nothing can be done safely then.
    fn fill(&self, buffer: &mut [u8]);
}

/// What callers usually want of [`Entropy`].
pub trait EntropyExt: Entropy {
    /// `N` random bytes.
    fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut buffer = [0; N];
        self.fill(&mut buffer);
        buffer
    }
}

impl<E: Entropy + ?Sized> EntropyExt for E {}
