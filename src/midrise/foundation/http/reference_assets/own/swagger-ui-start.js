// Starts Swagger UI on /openapi.json. A file of its own: the page's Content-Security-Policy forbids inline scripts.
window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  displayRequestDuration: true,
  validatorUrl: null, // the default asks a server on the internet whether the document is valid
});
