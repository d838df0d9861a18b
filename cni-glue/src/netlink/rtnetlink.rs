//! The connection by which links, addresses and routes are made and asked for.

use nix::errno::Errno;
use nix::sys::socket::SockProtocol;

use super::address::{self, Address};
use super::link::{self, Link};
use super::message::Batch;
use super::qdisc::{self, Qdisc};
use super::route::{self, Route};
use super::socket::{Refused, Socket};

/// rtnetlink in the network namespace where it was opened.
#[derive(Debug)]
pub(crate) struct Rtnetlink(Socket);

impl Rtnetlink {
    pub(crate) fn open() -> Result<Self, Errno> {
        Socket::open(SockProtocol::NetlinkRoute).map(Self)
    }

    /// Carries out the requests one by one. The outcome of each.
    pub(crate) fn apply(&mut self, batch: &Batch) -> Result<Vec<Result<(), Refused>>, Refused> {
        Ok(self.0.exchange(batch, |_| ())?)
    }

    /// As [`Self::apply`], where the first refusal counts.
    pub(crate) fn apply_all(&mut self, batch: &Batch) -> Result<(), Refused> {
        self.apply(batch)?.into_iter().collect()
    }

    /// The link of that name.
    pub(crate) fn link(&mut self, name: &str) -> Result<Option<Link>, Refused> {
        let mut batch = Batch::default();
        link::get(&mut batch, name);
        match self.links_of(&batch) {
            Ok(links) => Ok(links.into_iter().next()),
            Err(refused) if refused.errno == Errno::ENODEV => Ok(None),
            Err(refused) => Err(refused),
        }
    }

    pub(crate) fn links(&mut self) -> Result<Vec<Link>, Refused> {
        let mut batch = Batch::default();
        link::list(&mut batch);
        self.links_of(&batch)
    }

    fn links_of(&mut self, batch: &Batch) -> Result<Vec<Link>, Refused> {
        self.0.collect(batch, Link::parse)
    }

    pub(crate) fn addresses(&mut self) -> Result<Vec<Address>, Refused> {
        let mut batch = Batch::default();
        address::list(&mut batch);
        self.0.collect(&batch, Address::parse)
    }

    /// What packets meet first that leave by the link `index`; `None` if nobody put anything there.
    pub(crate) fn root_qdisc(&mut self, index: u32) -> Result<Option<Qdisc>, Refused> {
        let mut batch = Batch::default();
        qdisc::get_root(&mut batch, index);
        let mut found = None;
        let outcomes = self.0.exchange(&batch, |message| {
            found = found.take().or_else(|| Qdisc::parse(message));
        })?;
        outcomes.into_iter().collect::<Result<(), _>>()?;
        Ok(found.filter(|qdisc| qdisc.link == index))
    }

    /// The routes of the main table.
    pub(crate) fn routes(&mut self) -> Result<Vec<Route>, Refused> {
        let mut batch = Batch::default();
        route::list(&mut batch);
        self.0.collect(&batch, Route::parse)
    }
}
