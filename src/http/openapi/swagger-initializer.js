// Replaces the file of the same name in the distribution of the Swagger UI.
window.onload = () => {
  window.ui = SwaggerUIBundle({
    url: "../openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    displayRequestDuration: true,
    // A token stays in the memory of the page.
    persistAuthorization: false,
    validatorUrl: "none",
    layout: "StandaloneLayout",
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    plugins: [SwaggerUIBundle.plugins.DownloadUrl],
    onComplete: () => import("../console/docs-sign-in.js").then(({ offer }) => offer(window.ui)),
  });
};
