//! What answers a registry that wants to know who asks.

use ureq::http::header::{HeaderMap, WWW_AUTHENTICATE};

use super::challenge::{self, Challenge};
use super::client::{Access, Client, CredentialSource};
use super::credentials::{Credentials, Known};
use super::token;
use crate::error::RegistryError;

impl Client {
    /// The header that answers the challenge; `None` if there is nothing to answer it with.
    pub(super) fn authenticate(
        &mut self,
        headers: &HeaderMap,
    ) -> Result<Option<String>, RegistryError> {
        let headers = headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let Some(challenge) = challenge::choose(headers) else {
            return Ok(None);
        };
        let location = self.endpoint.location();
        let known = match &self.credentials {
            CredentialSource::Lookup(sources) => sources.find(location)?,
            CredentialSource::Given(credentials) => Some(Known {
                credentials: credentials.clone(),
                from: "the log-in".to_owned(),
            }),
        };
        let (known, from) = known.map(|known| (known.credentials, known.from)).unzip();
        self.credentials_from = from;
        Ok(match (challenge, known) {
            (_, Some(Credentials::Bearer(token))) => Some(format!("Bearer {token}")),
            (Challenge::Bearer { realm, service }, known) => {
                // The scope is always made here: a registry has no say in what a token allows.
                let actions = match self.access {
                    Access::Pull => "pull",
                    Access::Push => "pull,push",
                };
                let path = location.path();
                let scope = match self.credentials {
                    CredentialSource::Lookup(_) => Some(format!("repository:{path}:{actions}")),
                    // It is only asked whether the user is known.
                    CredentialSource::Given(_) => None,
                };
                let service = service.as_deref();
                let token = token::fetch(self, &realm, service, scope.as_deref(), known.as_ref())?;
                Some(format!("Bearer {token}"))
            }
            (Challenge::Basic, Some(Credentials::Basic(basic))) => Some(format!("Basic {basic}")),
            (Challenge::Basic, _) => None,
        })
    }
}
