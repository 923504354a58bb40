//! The addresses that answers name.

use super::edge::PublicUrl;

tokio::task_local! {
    /// The public URL, during a request.
    pub static PUBLIC_URL: Option<PublicUrl>;
}

/// The public URL of this request, for an answer that is written after the handler has returned.
pub fn public_url() -> Option<PublicUrl> {
    PUBLIC_URL.try_with(Clone::clone).ok().flatten()
}

/// The address of a path of the service: below the public URL if there is one, else the path.
pub fn address(path: &str) -> String {
    public_url().map_or_else(|| path.to_owned(), |public| public.of(path))
}
