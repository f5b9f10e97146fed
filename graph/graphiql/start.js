'use strict';

const defaultQuery = `# The first application groups, how they are, and their jobs.
# Ctrl-Enter runs the query; the book on the left opens the documentation.
query JobGroups {
  jobGroups(first: 10) {
    edges {
      node {
        id
        name
        namespace
        phase
        jobs(first: 50) {
          edges {
            node {
              id
              component
              type
              state
            }
          }
        }
      }
    }
  }
}
`;

const endpoint = new URL('/graphql', window.location.href);
const socket = new URL(endpoint);
socket.protocol = endpoint.protocol === 'https:' ? 'wss:' : 'ws:';

// A browser sends no headers of ours with a websocket: what stands in the headers editor goes into the
// payload of connection_init.
let headers = {};
const send = GraphiQL.createFetcher({
  url: endpoint.href,
  wsClient: graphqlWs.createClient({ url: socket.href, connectionParams: () => headers }),
});
const fetcher = (request, options) => {
  headers = options?.headers ?? {};
  return send(request, options);
};

ReactDOM.createRoot(document.getElementById('graphiql')).render(
  React.createElement(GraphiQL, { fetcher, defaultQuery }),
);
