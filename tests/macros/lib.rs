//! The attribute that registers a live test. What a registration is, the macro `register!` of `tests/support` defines.

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

/// Registers a function without parameters as a live test. The arguments are the needs of the test:
/// `#[live_test(Linux, Root)]`.
#[proc_macro_attribute]
pub fn live_test(needs: TokenStream, function: TokenStream) -> TokenStream {
    let mut after_fn = function.clone().into_iter().skip_while(|token| token.to_string() != "fn").skip(1);
    let Some(name @ TokenTree::Ident(_)) = after_fn.next() else {
        return quote("compile_error! { \"#[live_test] is for functions\" }");
    };
    let needs = TokenTree::Group(Group::new(Delimiter::Bracket, needs));
    let arguments = Group::new(Delimiter::Brace, TokenStream::from_iter([name, needs]));
    let mut registered = function;
    registered.extend(quote("crate::support::register!"));
    registered.extend([TokenTree::Group(arguments)]);
    registered
}

fn quote(code: &str) -> TokenStream {
    code.parse().unwrap_or_default()
}
