// Package openapi writes the OpenAPI 3.1 document of a table of operations:
// schemas by reflection of the very types that handlers read and write, their
// descriptions from the types' own comments, examples as they were recorded.
//
// It owns the form of the document and nothing of what it says: which routes
// there are, who may ask them and what they answer is the table's. It reads no
// network and no clock; the same table gives the same bytes.
package openapi
