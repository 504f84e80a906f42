//! Which addresses may be connected to.

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use albumen_schema::is_loopback;

/// A resolver that gives loopback addresses only, unless all are allowed.
///
/// The connector connects to what its resolver gives and to nothing else. So no name can be loopback
/// when it is looked at and another host when it is used.
#[derive(Debug)]
pub(crate) struct Fence<R> {
    pub(crate) open: bool,
    pub(crate) resolver: R,
}

/// The host has no loopback address.
#[derive(Debug, thiserror::Error)]
#[error("not a loopback address")]
pub(crate) struct Refused;

impl<R: Resolver> Resolver for Fence<R> {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = match self.resolver.resolve(uri, config, timeout) {
            // The system's resolver tells a name it does not know as an error of input and output.
            Err(ureq::Error::Io(_)) => return Err(ureq::Error::HostNotFound),
            found => found?,
        };
        if self.open {
            return Ok(found);
        }
        let mut inside = self.empty();
        for address in found.iter().filter(|a| is_loopback(a.ip())) {
            inside.push(*address);
        }
        if inside.is_empty() {
            return Err(ureq::Error::Other(Box::new(Refused)));
        }
        Ok(inside)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Gives the next of its lists of addresses each time.
    #[derive(Debug)]
    struct Shifting(Vec<Vec<SocketAddr>>, AtomicUsize);

    impl Resolver for Shifting {
        fn resolve(
            &self,
            _: &Uri,
            _: &Config,
            _: NextTimeout,
        ) -> Result<ResolvedSocketAddrs, ureq::Error> {
            let mut found = self.empty();
            for address in &self.0[self.1.fetch_add(1, Ordering::SeqCst)] {
                found.push(*address);
            }
            Ok(found)
        }
    }

    fn resolve(fence: &Fence<Shifting>) -> Result<Vec<String>, ureq::Error> {
        let uri = Uri::from_static("http://sly.example.org/v1");
        let found = fence.resolve(&uri, &Config::default(), NextTimeout::default())?;
        Ok(found.iter().map(ToString::to_string).collect())
    }

    fn fence(open: bool, answers: &[&[&str]]) -> Fence<Shifting> {
        let parse = |a: &&str| a.parse().unwrap();
        let lists = answers.iter().map(|l| l.iter().map(parse).collect());
        Fence {
            open,
            resolver: Shifting(lists.collect(), AtomicUsize::new(0)),
        }
    }

    #[test]
    fn a_name_that_moves_off_this_machine_is_refused_then() {
        let fence = fence(false, &[&["127.0.0.1:80"], &["203.0.113.9:80"]]);
        assert_eq!(resolve(&fence).unwrap(), ["127.0.0.1:80"]);
        let refused = resolve(&fence).unwrap_err();
        assert!(matches!(refused, ureq::Error::Other(e) if e.is::<Refused>()));
    }

    #[test]
    fn only_loopback_addresses_of_many_are_used() {
        let all: &[&str] = &["203.0.113.9:80", "[::1]:80", "0.0.0.0:80"];
        assert_eq!(resolve(&fence(false, &[all])).unwrap(), ["[::1]:80"]);
        assert_eq!(resolve(&fence(true, &[all])).unwrap().len(), 3);
    }
}
