//! Connection strings, as far as tests need to write them.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// A path as a URL's host names it.
pub(super) fn encode(path: &Path) -> String {
    let mut encoded = String::new();
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a String takes every write");
        }
    }
    encoded
}

/// The same connection to the database `name`, which needs no quoting.
pub(super) fn with_database(url: &str, name: &str) -> String {
    let Some(scheme) = ["postgresql://", "postgres://"].into_iter().find(|scheme| url.starts_with(scheme)) else {
        // Of two settings of one key, the later counts.
        return format!("{url} dbname={name}");
    };
    let rest = &url[scheme.len()..];
    // A password may hold a `/` or `?`, but everything up to the first `@` is user and password.
    let host = rest.find('@').map_or(0, |at| at + 1);
    let end = rest[host..].find(['/', '?']).map_or(rest.len(), |end| host + end);
    let query = rest[end..].split_once('?').map_or("", |(_, query)| query);
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("dbname=")).collect();
    let mark = if kept.is_empty() { "" } else { "?" };
    format!("{scheme}{}/{name}{mark}{}", &rest[..end], kept.join("&"))
}

#[cfg(test)]
mod tests {
    use tokio_postgres::Config;
    use tokio_postgres::config::Host;

    use super::*;

    #[test]
    fn the_database_of_a_connection_string_is_replaced() {
        for (url, expected) in [
            ("postgres://u:p@h:1/old?sslmode=disable", "postgres://u:p@h:1/new?sslmode=disable"),
            ("postgresql://u@h", "postgresql://u@h/new"),
            ("postgresql://h?dbname=old&user=u", "postgresql://h/new?user=u"),
            ("postgresql://u:a/b@h/old", "postgresql://u:a/b@h/new"),
            ("host=h user=u dbname='old'", "host=h user=u dbname='old' dbname=new"),
        ] {
            let replaced = with_database(url, "new");
            assert_eq!(replaced, expected);
            let config: Config = replaced.parse().unwrap();
            assert_eq!(config.get_dbname(), Some("new"));
            assert_eq!(config.get_user(), Some("u"));
        }
    }

    #[test]
    fn a_socket_directory_survives_the_url() {
        let directory = Path::new("/tmp/a b%/ü");
        let config: Config = format!("postgresql://u@{}/d", encode(directory)).parse().unwrap();
        assert_eq!(config.get_hosts(), [Host::Unix(directory.to_owned())]);
    }
}
