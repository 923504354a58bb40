//! Groups of optional settings: one over another, and what a whole group lacks.

/// Replaces each named setting with the other group's, where that has one.
macro_rules! overlay {
    ($settings:ident, $over:ident: $($name:ident),+ $(,)?) => {
        $(if $over.$name.is_some() {
            $settings.$name.clone_from(&$over.$name);
        })+
    };
}
pub(crate) use overlay;

/// The name of the first setting that is absent.
pub(super) fn missing(settings: &[(&'static str, &Option<String>)]) -> Option<&'static str> {
    settings.iter().find(|(_, setting)| setting.is_none()).map(|(name, _)| *name)
}
