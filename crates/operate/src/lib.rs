//! What the operator's commands do to a site: prove it, write its pages, keep its evidence.
