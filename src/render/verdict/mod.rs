//! The sentences of a verdict: the reason, the facts, the advice. Text and JSON print the same ones. They need neither
//! colours nor a width, and the library has them too.

mod advice;
mod facts;
mod hindrance;
mod reason;

#[cfg(test)]
mod tests;

use std::fmt;

pub(crate) use hindrance::hindrance;

use crate::verdict::{Advice, BoundHistory, Fact, LocalhostAnswer, PortUsage, VerdictReason};

impl fmt::Display for VerdictReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&reason::reason(self))
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&facts::fact(self))
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&advice::advice(self))
    }
}

/// A phrase that follows "the socket".
impl fmt::Display for PortUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PortUsage::Listens => "listens",
            PortUsage::Receives => "receives datagrams",
            PortUsage::Bound(Some(BoundHistory::OnlyBound)) => "is bound and never listened",
            PortUsage::Bound(_) => "is bound and does not listen",
            PortUsage::Connected => "has a connection",
        })
    }
}

/// The listeners in a phrase, in which names from outside are escaped.
impl fmt::Display for LocalhostAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&facts::localhost(self))
    }
}

/// Returns the sentences of facts or advice, each once: sockets that share a port can differ in nothing that a sentence
/// tells.
#[cfg(feature = "cli")]
pub(crate) fn sentences<T: fmt::Display>(items: &[T]) -> Vec<String> {
    let mut sentences: Vec<String> = Vec::new();
    for sentence in items.iter().map(T::to_string) {
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }
    sentences
}
