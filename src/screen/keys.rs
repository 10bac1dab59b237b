//! The keys of the screen and what they do.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::row_actions::Copied;
use super::toggles::Toggle;

/// What has the keyboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Focus {
    /// The list.
    List,
    /// The text of the filter.
    Filter,
    /// The choice of what to copy.
    Copy,
    /// A text over the list.
    Pane,
    /// A question whose answer is typed.
    Question,
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyAction {
    Quit,
    /// Leaves what has the keyboard; in the list, clears the filter, or quits if there is none.
    Back,
    Pause,
    Sort,
    Reverse,
    /// Rows down, or up if negative.
    Move(isize),
    Page(isize),
    Top,
    Bottom,
    Card,
    Why,
    Free,
    Open,
    Help,
    History,
    Toggle(Toggle),
    StartFilter,
    StartCopy,
    Copy(Copied),
    Type(char),
    Erase,
    Clear,
    Accept,
}

/// Returns what a key does.
pub(crate) fn key_action(key: &KeyEvent, focus: Focus) -> Option<KeyAction> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let typed = matches!(focus, Focus::Filter | Focus::Question);
    match key.code {
        KeyCode::Char('c' | 'd') if control => return Some(KeyAction::Quit),
        KeyCode::Char('u') if control && typed => return Some(KeyAction::Clear),
        KeyCode::Char('f') if control => return Some(KeyAction::Page(1)),
        KeyCode::Char('b') if control => return Some(KeyAction::Page(-1)),
        KeyCode::Char(_) if control => return None,
        KeyCode::Up => return Some(KeyAction::Move(-1)),
        KeyCode::Down => return Some(KeyAction::Move(1)),
        KeyCode::PageUp => return Some(KeyAction::Page(-1)),
        KeyCode::PageDown => return Some(KeyAction::Page(1)),
        KeyCode::Home => return Some(KeyAction::Top),
        KeyCode::End => return Some(KeyAction::Bottom),
        KeyCode::Esc => return Some(KeyAction::Back),
        _ => {}
    }
    match focus {
        Focus::List => in_list(key.code),
        Focus::Pane => in_pane(key.code),
        Focus::Copy => Some(match key.code {
            KeyCode::Char('p') => KeyAction::Copy(Copied::Pid),
            KeyCode::Char('a') => KeyAction::Copy(Copied::Address),
            KeyCode::Char('c') => KeyAction::Copy(Copied::Command),
            _ => KeyAction::Back,
        }),
        Focus::Question if key.code == KeyCode::Char('q') => Some(KeyAction::Back),
        Focus::Filter | Focus::Question => match key.code {
            KeyCode::Char(character) => Some(KeyAction::Type(character)),
            KeyCode::Backspace => Some(KeyAction::Erase),
            KeyCode::Enter => Some(KeyAction::Accept),
            _ => None,
        },
    }
}

/// Returns the keys that were pressed. A terminal reports Esc and a key right after it, as a slow connection delivers
/// them, as that key with Alt.
pub(super) fn pressed(key: &KeyEvent) -> impl Iterator<Item = KeyEvent> {
    let has_alt = key.modifiers == KeyModifiers::ALT;
    let esc = has_alt.then(|| KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE));
    let rest = if has_alt { KeyEvent::new(key.code, KeyModifiers::NONE) } else { *key };
    esc.into_iter().chain([rest])
}

fn in_list(code: KeyCode) -> Option<KeyAction> {
    Some(match code {
        KeyCode::Char('q' | 'Q') => KeyAction::Quit,
        KeyCode::Char(' ' | 'p') => KeyAction::Pause,
        KeyCode::Char('s') => KeyAction::Sort,
        KeyCode::Char('S') => KeyAction::Reverse,
        KeyCode::Char('t') => KeyAction::Toggle(Toggle::Tcp),
        KeyCode::Char('u') => KeyAction::Toggle(Toggle::Udp),
        KeyCode::Char('x') => KeyAction::Toggle(Toggle::Unix),
        KeyCode::Char('4') => KeyAction::Toggle(Toggle::Ipv4),
        KeyCode::Char('6') => KeyAction::Toggle(Toggle::Ipv6),
        KeyCode::Char('e') => KeyAction::Toggle(Toggle::Exposed),
        KeyCode::Char('a') => KeyAction::Toggle(Toggle::All),
        KeyCode::Char('/') => KeyAction::StartFilter,
        KeyCode::Char('y') => KeyAction::StartCopy,
        KeyCode::Char('o') => KeyAction::Open,
        KeyCode::Enter => KeyAction::Card,
        other => return everywhere(other),
    })
}

fn in_pane(code: KeyCode) -> Option<KeyAction> {
    match code {
        KeyCode::Char('q' | 'Q') | KeyCode::Enter => Some(KeyAction::Back),
        other => everywhere(other),
    }
}

fn everywhere(code: KeyCode) -> Option<KeyAction> {
    Some(match code {
        KeyCode::Char('k') => KeyAction::Move(-1),
        KeyCode::Char('j') => KeyAction::Move(1),
        KeyCode::Char('g') => KeyAction::Top,
        KeyCode::Char('G') => KeyAction::Bottom,
        KeyCode::Char('w') => KeyAction::Why,
        KeyCode::Char('f') => KeyAction::Free,
        KeyCode::Char('E') => KeyAction::History,
        KeyCode::Char('?') => KeyAction::Help,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_map_to_actions() {
        let action = |code, modifiers, focus| key_action(&KeyEvent::new(code, modifiers), focus);
        let list = |code| action(code, KeyModifiers::NONE, Focus::List);
        assert_eq!(list(KeyCode::Char('q')), Some(KeyAction::Quit));
        assert_eq!(list(KeyCode::Esc), Some(KeyAction::Back));
        assert_eq!(list(KeyCode::Char('c')), None);
        assert_eq!(list(KeyCode::PageUp), Some(KeyAction::Page(-1)));
        assert_eq!(list(KeyCode::Char('y')), Some(KeyAction::StartCopy));
        for focus in [Focus::List, Focus::Filter, Focus::Copy, Focus::Pane, Focus::Question] {
            assert_eq!(action(KeyCode::Char('c'), KeyModifiers::CONTROL, focus), Some(KeyAction::Quit));
            assert_eq!(action(KeyCode::Char('s'), KeyModifiers::CONTROL, focus), None);
            assert_eq!(action(KeyCode::Esc, KeyModifiers::NONE, focus), Some(KeyAction::Back));
        }
    }

    #[test]
    fn esc_and_a_key_are_two_keys() {
        let codes = |modifiers| -> Vec<KeyCode> {
            pressed(&KeyEvent::new(KeyCode::Char('y'), modifiers)).map(|key| key.code).collect()
        };
        assert_eq!(codes(KeyModifiers::ALT), [KeyCode::Esc, KeyCode::Char('y')]);
        assert_eq!(codes(KeyModifiers::NONE), [KeyCode::Char('y')]);
    }

    #[test]
    fn what_is_typed_is_text_and_no_command() {
        let typed = |character, focus| {
            key_action(&KeyEvent::new(KeyCode::Char(character), KeyModifiers::NONE), focus)
        };
        for character in "qfwyo/? 34".chars() {
            assert_eq!(typed(character, Focus::Filter), Some(KeyAction::Type(character)));
        }
        assert_eq!(typed('y', Focus::Question), Some(KeyAction::Type('y')));
        assert_eq!(typed('q', Focus::Question), Some(KeyAction::Back));
        assert_eq!(typed('f', Focus::Copy), Some(KeyAction::Back), "any other key cancels");
        assert_eq!(typed('q', Focus::Pane), Some(KeyAction::Back));
        assert_eq!(typed('y', Focus::Pane), None);
    }
}
