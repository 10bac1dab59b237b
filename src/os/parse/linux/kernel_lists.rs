//! Lists of modules and tables: /proc/modules (proc_modules(5)), modules.builtin (modules.builtin(5)) and
//! /proc/net/ip_tables_names. Pure.

/// Returns whether a module is in /proc/modules.
pub(in crate::os) fn is_loaded(modules: &[u8], name: &[u8]) -> bool {
    lines(modules).any(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(b" ")))
}

/// Returns whether a module, `nf_tables.ko`, is in modules.builtin, which has its path.
pub(in crate::os) fn is_built_in(modules: &[u8], file: &[u8]) -> bool {
    lines(modules)
        .any(|path| path.rsplit(|byte| *byte == b'/').next().is_some_and(|own| own.starts_with(file)))
}

/// Returns whether a table is in /proc/net/ip_tables_names.
pub(in crate::os) fn has_table(names: &[u8], table: &[u8]) -> bool {
    lines(names).any(|name| name == table)
}

fn lines(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules() {
        let loaded = b"nf_tables 372736 1 nft_chain_nat, Live 0x0\nnfnetlink 20480 1 - Live 0x0\n";
        assert!(is_loaded(loaded, b"nf_tables") && is_loaded(loaded, b"nfnetlink"));
        assert!(!is_loaded(loaded, b"nf") && !is_loaded(b"", b"nf_tables"));
        let built_in = b"kernel/net/netfilter/nf_tables.ko\nkernel/net/ipv6/ipv6.ko\n";
        assert!(is_built_in(built_in, b"nf_tables.ko"));
        assert!(!is_built_in(built_in, b"tables.ko"));
    }

    #[test]
    fn tables() {
        assert!(has_table(b"filter\nnat\n", b"nat") && !has_table(b"raw\n", b"nat"));
    }
}
