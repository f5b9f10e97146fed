'use strict';

// Everything is named relative to the page, so that it also works behind a proxy that puts a path before it.
// Swagger UI would send the document to a validator of its makers: null keeps it here.
SwaggerUIBundle({
  url: 'doc.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
  layout: 'BaseLayout',
});
