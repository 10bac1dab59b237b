//! Paths below /proc, made without an allocation: a search makes several for each process of the machine.

use std::ffi::CStr;

/// The longest path: `4294967295/task/4294967295/net/dev`, and room for a longer name.
const LONGEST: usize = 64;

/// A path below /proc, relative to it.
#[derive(Clone, Copy)]
pub(in crate::os) struct ProcPath {
    /// The path, followed by NUL.
    bytes: [u8; LONGEST],
    length: usize,
}

impl ProcPath {
    /// Returns the path of a process: `812`.
    pub(in crate::os) fn process(pid: u32) -> ProcPath {
        ProcPath { bytes: [0; LONGEST], length: 0 }.number(pid)
    }

    /// Appends a number.
    pub(in crate::os) fn number(self, number: u32) -> ProcPath {
        let mut digits = [0; 10];
        let (mut rest, mut count) = (number, 0);
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            count += 1;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.append(digits.get(digits.len() - count..).unwrap_or_default())
    }

    /// Appends a text.
    pub(in crate::os) fn text(self, text: &str) -> ProcPath {
        self.append(text.as_bytes())
    }

    /// A path that is too long becomes empty, which no file has.
    fn append(mut self, more: &[u8]) -> ProcPath {
        let end = self.length + more.len();
        match self.bytes.get_mut(self.length..end) {
            Some(place) if end < LONGEST => {
                place.copy_from_slice(more);
                self.length = end;
                self
            }
            _ => ProcPath { bytes: [0; LONGEST], length: 0 },
        }
    }

    /// Returns the path for a system call.
    pub(in crate::os) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_number_is_written(pid: u32, thread: u32) {
            let path = ProcPath::process(pid).text("/task/").number(thread).text("/net/dev");
            let expected = format!("{pid}/task/{thread}/net/dev");
            prop_assert_eq!(path.as_c_str().to_str(), Ok(expected.as_str()));
        }
    }

    #[test]
    fn a_path_that_is_too_long_is_none() {
        let path = ProcPath::process(0);
        assert_eq!(path.as_c_str(), c"0");
        assert_eq!(path.text(&"x".repeat(LONGEST - 2)).as_c_str().to_bytes().len(), LONGEST - 1);
        assert_eq!(path.text(&"x".repeat(LONGEST - 1)).as_c_str(), c"");
    }
}
