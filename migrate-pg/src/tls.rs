//! TLS as a connection string asks for it. `tokio-postgres` reads `sslmode` up to `require`; what libpq has beyond it
//! (`verify-ca`, `verify-full`, `sslrootcert`) is taken out of the string here and done by rustls.

use crate::error::{Error, ErrorKind, Result};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::Arc;
use tokio_postgres::Config;
use tokio_postgres::Socket;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres_rustls::MakeRustlsConnect;

/// What of the server's certificate is verified (manual, 34.19.1, "Client Verification of Server Certificates").
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verify {
    /// Nothing: the connection is only encrypted.
    Nothing,
    /// That a trusted authority signed it.
    Authority(Roots),
    /// That a trusted authority signed it, for this host.
    Full(Roots),
}

/// Whom to trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Roots {
    System,
    File(String),
}

/// The configuration of a connection string. The error never quotes the string: it may hold a password.
pub(crate) fn read_connection_string(text: &str) -> Result<(Config, Verify), String> {
    let mut mode = None;
    let mut roots = None;
    let mut take = |key: &str, value: &str| match key {
        "sslmode" => {
            mode = Some(value.to_owned());
            true
        }
        "sslrootcert" => {
            roots = Some(if value == "system" { Roots::System } else { Roots::File(value.to_owned()) });
            true
        }
        _ => false,
    };
    let rest = if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        without_url_keys(text, &mut take)?
    } else {
        without_keys(text, &mut take)?
    };
    let mut config: Config = rest.parse().map_err(|error: tokio_postgres::Error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        // `unknown option` would quote a piece of the string, which may be the rest of an unquoted password.
        if cause.starts_with("invalid value for option") {
            cause
        } else {
            "it is neither a URL nor key-value pairs that libpq would take".to_owned()
        }
    })?;
    let mode = mode.unwrap_or_else(|| "prefer".to_owned());
    let system = || Roots::System;
    let (ssl_mode, verify) = match mode.as_str() {
        "disable" => (SslMode::Disable, Verify::Nothing),
        "allow" | "prefer" => (SslMode::Prefer, Verify::Nothing),
        // libpq: with a root certificate at hand, `require` verifies it.
        "require" => (SslMode::Require, roots.map_or(Verify::Nothing, Verify::Authority)),
        "verify-ca" => (SslMode::Require, Verify::Authority(roots.unwrap_or_else(system))),
        "verify-full" => (SslMode::Require, Verify::Full(roots.unwrap_or_else(system))),
        _ => return Err("sslmode is one of disable, prefer, require, verify-ca, verify-full".to_owned()),
    };
    config.ssl_mode(ssl_mode);
    Ok((config, verify))
}

/// The URL without the query parameters that `take` takes.
fn without_url_keys(text: &str, take: &mut dyn FnMut(&str, &str) -> bool) -> Result<String, String> {
    let Some((head, query)) = text.split_once('?') else { return Ok(text.to_owned()) };
    let mut left = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !take(key, &percent_decoded(value)?) {
            left.push(pair);
        }
    }
    Ok(if left.is_empty() { head.to_owned() } else { format!("{head}?{}", left.join("&")) })
}

fn percent_decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next(), rest.next()].map(|digit| digit.and_then(|digit| (digit as char).to_digit(16)));
            let [Some(high), Some(low)] = digits else { return Err("a `%` is not followed by two digits".to_owned()) };
            bytes.push(u8::try_from(high * 16 + low).map_err(|_| "a `%` is not followed by two digits".to_owned())?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())
}

/// The key-value pairs without those that `take` takes (manual, 34.1.1.1: quotes and backslashes as there).
fn without_keys(text: &str, take: &mut dyn FnMut(&str, &str) -> bool) -> Result<String, String> {
    let mut left = String::new();
    let mut chars = text.char_indices().peekable();
    loop {
        while chars.next_if(|(_, c)| c.is_whitespace()).is_some() {}
        let Some(&(start, _)) = chars.peek() else { return Ok(left) };
        let mut key = String::new();
        while let Some((_, c)) = chars.next_if(|(_, c)| *c != '=' && !c.is_whitespace()) {
            key.push(c);
        }
        while chars.next_if(|(_, c)| c.is_whitespace()).is_some() {}
        if chars.next_if(|(_, c)| *c == '=').is_none() {
            return Err("a key has no `=` after it".to_owned());
        }
        while chars.next_if(|(_, c)| c.is_whitespace()).is_some() {}
        let mut value = String::new();
        let quoted = chars.next_if(|(_, c)| *c == '\'').is_some();
        loop {
            match chars.peek().copied() {
                Some((_, '\'')) if quoted => {
                    chars.next();
                    break;
                }
                None if quoted => return Err("a quoted value is not closed".to_owned()),
                None => break,
                Some((_, c)) if !quoted && c.is_whitespace() => break,
                Some((_, '\\')) => {
                    chars.next();
                    value.extend(chars.next().map(|(_, c)| c));
                }
                Some((_, c)) => {
                    chars.next();
                    value.push(c);
                }
            }
        }
        let end = chars.peek().map_or(text.len(), |&(end, _)| end);
        if !take(&key, &value) {
            left.push_str(&text[start..end]);
            left.push(' ');
        }
    }
}

/// A connector for any kind of host. For a Unix socket `tokio-postgres` asks for one, too, with an empty name, though it
/// never encrypts there; rustls refuses such a name.
#[derive(Clone)]
pub(crate) struct Connector(MakeRustlsConnect);

impl MakeTlsConnect<Socket> for Connector {
    type Stream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;
    type TlsConnect = <MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect;
    type Error = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Error;

    fn make_tls_connect(&mut self, host: &str) -> Result<Self::TlsConnect, Self::Error> {
        let host = if host.is_empty() { "localhost" } else { host };
        MakeTlsConnect::<Socket>::make_tls_connect(&mut self.0, host)
    }
}

/// The connector that verifies as much as was asked for.
pub(crate) fn connector(verify: &Verify) -> Result<Connector> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(ErrorKind::Connect, "TLS could not be set up").because(error))?;
    let config = match verify {
        Verify::Full(roots) => builder.with_root_certificates(root_store(roots)?).with_no_client_auth(),
        Verify::Authority(roots) => {
            let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(root_store(roots)?), provider.clone())
                .build()
                .map_err(|error| {
                    Error::new(ErrorKind::Connect, "the root certificates cannot be used").because(error)
                })?;
            let verifier = Arc::new(Lenient { provider, authority: Some(inner) });
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
        }
        Verify::Nothing => {
            let verifier = Arc::new(Lenient { provider, authority: None });
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
        }
    };
    Ok(Connector(MakeRustlsConnect::new(config)))
}

fn root_store(roots: &Roots) -> Result<RootCertStore> {
    let certificates = match roots {
        Roots::System => rustls_native_certs::load_native_certs().certs,
        Roots::File(path) => CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .map_err(|error| Error::new(ErrorKind::Connect, format!("sslrootcert {path}: {error}")).because(error))?,
    };
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(certificates);
    if store.is_empty() {
        return Err(Error::new(ErrorKind::Connect, "no root certificate was found to verify the server's by")
            .help("Install the system's certificates, or name a file by sslrootcert."));
    }
    Ok(store)
}

/// Verifies what `sslmode` asks for short of `verify-full`: the authority but not the host, or nothing. That the server
/// holds the key of the certificate it shows is verified always.
#[derive(Debug)]
struct Lenient {
    provider: Arc<CryptoProvider>,
    authority: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(authority) = &self.authority else { return Ok(ServerCertVerified::assertion()) };
        match authority.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is looked at after the chain has been found good.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sslmode_is_read_from_both_forms() {
        let file = || Roots::File("/etc/ca file.pem".to_owned());
        for (mode, ssl_mode, verify) in [
            ("", SslMode::Prefer, Verify::Nothing),
            ("sslmode=disable", SslMode::Disable, Verify::Nothing),
            ("sslmode=require", SslMode::Require, Verify::Nothing),
            ("sslmode=verify-ca", SslMode::Require, Verify::Authority(Roots::System)),
            ("sslmode=verify-full", SslMode::Require, Verify::Full(Roots::System)),
            ("sslmode=verify-full SSLROOT", SslMode::Require, Verify::Full(file())),
            ("sslmode=require SSLROOT", SslMode::Require, Verify::Authority(file())),
        ] {
            let pairs = format!(
                r"host=h password='a\'b sslmode=disable' {} dbname=d",
                mode.replace("SSLROOT", "sslrootcert = '/etc/ca file.pem'")
            );
            let query = mode.replace(' ', "&").replace("SSLROOT", "sslrootcert=%2Fetc%2Fca%20file.pem");
            let url = format!("postgres://u:a%27b@h/d?{query}&application_name=x");
            for text in [pairs, url] {
                let (config, found) = read_connection_string(&text).unwrap_or_else(|why| panic!("{text}: {why}"));
                assert_eq!((config.get_ssl_mode(), &found), (ssl_mode, &verify), "{text}");
                assert_eq!(config.get_dbname(), Some("d"), "{text}");
            }
        }
    }

    #[test]
    fn an_error_never_quotes_the_string() {
        for text in [
            "host=h password=hunter 2secret",
            "host=h password='secret",
            "postgres://u:secret@h:port/d",
            "host=h sslmode=secret",
        ] {
            let why = read_connection_string(text).unwrap_err();
            assert!(!why.contains("secret") && !why.contains("hunter"), "{text}: {why}");
        }
    }
}
