/*! bellwire 0.1.0 | Apache-2.0 OR MIT */
import{start as o}from"./console-main.js";var n=()=>import(["./console-functions.js",Date.now()].join("?"));o(()=>import("./console-functions.js").catch(n));
