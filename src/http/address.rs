//! The addresses that answers name.

use super::edge::PublicUrl;

tokio::task_local! {
    /// The public URL, during a request.
    pub static PUBLIC_URL: Option<PublicUrl>;
}

/// The address of a path of the service: below the public URL if there is one, else the path.
pub fn address(path: &str) -> String {
    let public = PUBLIC_URL.try_with(|public| public.as_ref().map(|public| public.of(path)));
    public.ok().flatten().unwrap_or_else(|| path.to_owned())
}
