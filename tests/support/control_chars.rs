//! Characters that must not reach a terminal: they move the cursor, hide text or reorder it.

/// Returns the first character of `text` that a terminal would act upon. Line ends are allowed.
pub(crate) fn control_character(text: &str) -> Option<char> {
    text.chars().find(|letter| {
        let control = letter.is_control() && *letter != '\n';
        let reorders = matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}');
        let isolates = matches!(letter, '\u{2066}'..='\u{2069}');
        let invisible = matches!(letter, '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2060}' | '\u{feff}');
        control || reorders || isolates || invisible
    })
}
