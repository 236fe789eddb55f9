//! Names to addresses. The connection is made to an address that was checked here, so that a second
//! answer of DNS cannot replace it.

use std::net::{IpAddr, SocketAddr};

use crate::webpush::is_public;

/// Which addresses a name may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    /// The operator configured the host.
    Any,
    /// A client named it.
    Public,
    Loopback,
}

impl Filter {
    fn allows(self, address: IpAddr) -> bool {
        match self {
            Filter::Any => true,
            Filter::Public => is_public(address),
            Filter::Loopback => address.is_loopback(),
        }
    }
}

/// The allowed addresses of a name; none if it has no other.
pub(super) async fn resolve(
    name: &str,
    port: u16,
    filter: Filter,
) -> std::io::Result<Vec<SocketAddr>> {
    let found = tokio::net::lookup_host((name, port)).await?;
    Ok(found.filter(|address| filter.allows(address.ip())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_leads_inside_has_no_address() {
        assert!(resolve("localhost", 1, Filter::Public).await.unwrap().is_empty());
        assert!(!resolve("localhost", 1, Filter::Loopback).await.unwrap().is_empty());
        assert!(resolve("169.254.169.254", 1, Filter::Public).await.unwrap().is_empty());
        assert!(resolve("8.8.8.8", 1, Filter::Loopback).await.unwrap().is_empty());
        assert_eq!(resolve("8.8.8.8", 1, Filter::Public).await.unwrap().len(), 1);
    }
}
