//! A place in the list of all tunnels.

use std::fmt;
use std::str::FromStr;

/// A place in the list: the part of an account that is read, and the entries of it that the caller has seen. An account that
/// is read as a whole has no VPC and no gateway here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub(super) account: String,
    pub(super) vpc: String,
    pub(super) gateway: String,
    pub(super) offset: u32,
}

/// The text is not a place.
pub struct NotAPlace;

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, vpc, gateway, offset } = self;
        write!(f, "{account}/{vpc}/{gateway}/{offset}")
    }
}

impl FromStr for Place {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let mut parts = text.split('/');
        let mut next = || parts.next().map(str::to_owned).ok_or(NotAPlace);
        let (account, vpc, gateway, offset) = (next()?, next()?, next()?, next()?);
        match (offset.parse(), parts.next()) {
            (Ok(offset), None) => Ok(Self { account, vpc, gateway, offset }),
            _ => Err(NotAPlace),
        }
    }
}
