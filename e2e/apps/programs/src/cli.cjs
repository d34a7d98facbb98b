// node client: HOST PORT DIR -> checks with http.get, fetch (undici), keep-alive agent, net socket, POST echo
const http=require('http'),net=require('net'),fs=require('fs'),crypto=require('crypto');const [h,p,d]=process.argv.slice(2);const base=`http://${h.includes(":")?`[${h}]`:h}:${p}`;
const get=(u,agent)=>new Promise((ok,no)=>http.get(u,{agent},r=>{const b=[];r.on('data',x=>b.push(x));r.on('end',()=>ok(Buffer.concat(b)))}).on('error',no));
(async()=>{ const big=fs.readFileSync(d+'/www/big.bin'); if(!(await get(base+'/big.bin')).equals(big))throw 'http.get big';
 if(!Buffer.from(await (await fetch(base+'/big.bin')).arrayBuffer()).equals(big))throw 'fetch big';
 const a=new http.Agent({keepAlive:true,maxSockets:8}); await Promise.all([...Array(100)].map(async(_,i)=>{const f='f'+(1+i%5)+'.bin'; if(!(await get(base+'/'+f,a)).equals(fs.readFileSync(d+'/www/'+f)))throw f})); a.destroy();
 const body=crypto.randomBytes(1<<20); const r=await fetch(base+'/echo',{method:'POST',body}); if(!Buffer.from(await r.arrayBuffer()).equals(body))throw 'post';
 const pids=new Set(); for(let i=0;i<12;i++)pids.add(String(await get(base+'/who',new http.Agent()))); 
 await new Promise((ok,no)=>{const s=net.connect(+p,h,()=>s.write('GET /index.html HTTP/1.0\r\n\r\n'));let t='';s.on('data',x=>t+=x);s.on('end',()=>/hello-netcon/.test(t)?ok():no('net'));s.on('error',no)});
 console.log(`node http.get+fetch 8 MiB, 100 keep-alive, 1 MiB POST echo, raw net socket; ${pids.size} serving pid/threads`)})().catch(e=>{console.log('FAIL',e);process.exit(1)});
