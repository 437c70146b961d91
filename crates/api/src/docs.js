const make = (tag, text, ...children) => {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  element.append(...children);
  return element;
};
const nameOf = schema => {
  if (!schema) return '';
  if (schema.$ref) return schema.$ref.split('/').pop();
  if (schema.oneOf) return schema.oneOf.map(nameOf).join(' or ');
  const types = [].concat(schema.type ?? 'any').filter(type => type !== 'null');
  return types.map(type => type === 'array' ? 'list of ' + (nameOf(schema.items) || 'any') : type).join(' or ');
};
const table = rows => {
  const element = make('table');
  for (const [name, type, text] of rows) {
    const cell = make('td'); cell.append(make('code', name));
    element.append(make('tr', '', cell, make('td', type), make('td', text || '')));
  }
  return element;
};
const fields = (schema, schemas) => {
  const full = schema.$ref ? schemas[nameOf(schema)] : schema;
  const rows = Object.entries(full?.properties ?? {}).map(([name, field]) => {
    const known = field.$ref ? schemas[nameOf(field)] : field;
    return [name, nameOf(field.$ref && !known?.properties ? known : field), field.description ?? known?.description];
  });
  return rows.length ? table(rows) : make('p', nameOf(schema));
};
const operation = (method, path, op, schemas) => {
  const summary = make('summary', '', Object.assign(make('span', method.toUpperCase()), { className: 'method' }),
    make('code', path), make('span', ' – ' + (op.summary ?? '')));
  const box = make('details', '', summary);
  if (op.description) box.append(make('p', op.description));
  const roles = (op.security ?? []).flatMap(one => one.key ? [one.key.join(' with ')] : []);
  if (roles.length) box.append(make('p', 'Permission of the key: ' + roles.join(', or ')));
  if (op.parameters?.length) box.append(make('h4', 'Parameters'), table(op.parameters.map(parameter =>
    [parameter.name, `${parameter.in}, ${nameOf(parameter.schema)}`, parameter.description])));
  const body = op.requestBody?.content?.['application/json']?.schema;
  if (body) box.append(make('h4', 'Body'), fields(body, schemas));
  box.append(make('h4', 'Answers'), table(Object.entries(op.responses).map(([status, answer]) =>
    [status, nameOf(answer.content?.['application/json']?.schema), answer.description])));
  return box;
};
fetch('/openapi.json').then(answer => answer.json()).then(api => {
  const schemas = api.components.schemas, groups = new Map(api.tags.map(tag => [tag.name, [tag.description]]));
  for (const [path, item] of Object.entries(api.paths))
    for (const [method, op] of Object.entries(item))
      if (op.responses) groups.get(op.tags?.[0] ?? 'service')?.push(operation(method, path, op, schemas));
  const main = document.getElementById('main');
  main.textContent = '';
  for (const [name, [text, ...operations]] of groups)
    if (operations.length) main.append(make('h2', name), make('p', text), ...operations);
  main.append(make('h2', 'schemas'));
  for (const [name, schema] of Object.entries(schemas))
    if (schema.properties) {
      const box = make('details', '', make('summary', name));
      box.append(fields(schema, schemas));
      main.append(box);
    }
});
